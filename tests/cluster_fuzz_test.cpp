#include <array>

#include "simulator/random.hpp"
#include "tests/catch.hpp"
#include "tests/fuzz/cluster_target.hpp"

using namespace plimsoll;

// The decoder of the fuzz target on bytes that are the same everywhere, for machines without libFuzzer.
TEST_CASE("cluster fuzz: no law breaks under any scheduler and router", "[router]") {
    constexpr std::uint64_t cases = 60;
    std::uint64_t plain = 0, answered = 0, failed = 0;
    for (const auto& [scheduler, scheduler_kind] : schedulers())
        for (const auto& [router, router_kind] : routers())
            for (std::uint64_t seed = 0; seed < cases; ++seed) {
                CAPTURE(scheduler, router, seed);
                RandomStream random(seed, scheduler + " " + router);
                std::array<std::uint8_t, 400> bytes{};
                for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random.below(256));
                const ClusterCase one(bytes, &scheduler_kind, &router_kind);
                REQUIRE(broken_law(one) == "");
                plain += one.plain() ? 1 : 0;
                ClusterLaws laws(one);
                run_case(one, true, laws);
                for (const Request& request : laws.requests)
                    ++(request.outcome == Request::Outcome::answered ? answered : failed);
            }
    // Enough of each for the laws to be worth something.
    CHECK(plain > 50);
    CHECK(answered > 20'000);
    CHECK(failed > 2'000);
}
