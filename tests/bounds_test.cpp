#include "model/capacity/bounds.hpp"

#include <vector>

#include "model/capacity/chain.hpp"
#include "tests/catch.hpp"

using namespace plimsoll;

TEST_CASE("Asymptotic bounds of a closed system by hand") {
    // Z = 9 s, R0 = 1 s, Xmax = 4 per s: N* = 40; 10 users at most 1 per s; 60 users at most 4 per s, R >= 60/4 - 9 = 6
    // s.
    const ClosedBounds few = closed_bounds(10.0, Seconds(9.0), Seconds(1.0), PerSecond(4.0));
    CHECK(few.highest_throughput.value() == Approx(1.0));
    CHECK(few.lowest_response.value() == Approx(1.0));
    CHECK(few.saturation_users == Approx(40.0));
    const ClosedBounds many = closed_bounds(60.0, Seconds(9.0), Seconds(1.0), PerSecond(4.0));
    CHECK(many.highest_throughput.value() == Approx(4.0));
    CHECK(many.lowest_response.value() == Approx(6.0));
}

TEST_CASE("No closed chain passes its bounds, and both are met far from the knee") {
    std::vector<double> mu;
    for (int n = 1; n <= 32; ++n) mu.push_back(n / (1.0 + 0.1 * n));
    const ServiceRates rates(mu, 32);
    ChainWorkspace workspace;
    for (const std::size_t users : {1U, 5U, 40U, 80U, 90U, 100U, 200U, 2000U}) {
        const SteadyState state = solve_closed(rates, users, Seconds(11.0), workspace);
        const ClosedBounds bounds =
            closed_bounds(static_cast<double>(users), Seconds(11.0), Seconds(1.1), rates.peak());
        CHECK(state.throughput.value() <= bounds.highest_throughput.value() * (1.0 + 1e-12));
        CHECK(state.mean_response.value() >= bounds.lowest_response.value() * (1.0 - 1e-12));
        if (users == 1 || users == 2000)
            CHECK(state.throughput.value() == Approx(bounds.highest_throughput.value()).epsilon(1e-9));
    }
}

TEST_CASE("Token budget bound by hand") {
    // 512 tokens a step of 64 ms are 8,000 tokens/s; requests of 600 + 200 tokens: 10 per s.
    CHECK(token_budget_bound(512.0, Seconds(0.064), 600.0, 200.0).value() == Approx(10.0));
}

TEST_CASE("KV token-iterations by counting") {
    // Prompt 5 in chunks of 2: 2 + 4 + 5; three output tokens: 6 + 7 + 8; in all 32.
    CHECK(kv_token_iterations(5, 3, 2) == 32.0);
    // Prompt 4 in chunks of 2: 2 + 4, one output token: 5.
    CHECK(kv_token_iterations(4, 1, 2) == 11.0);
    // In one chunk: 5 + 21; the moments of a fixed length say the same.
    CHECK(kv_token_iterations(5, 3, 100) == 26.0);
    CHECK(mean_kv_token_iterations(5.0, 3.0, 9.0, 15.0) == 26.0);
    // Output 1 or 5 tokens after a prompt of 2, evenly: (2 + 3 + 2 + 3+4+5+6+7) / 2 = 16; by the mean of 3 alone: 14.
    CHECK(mean_kv_token_iterations(2.0, 3.0, 13.0, 6.0) == 16.0);
    CHECK(kv_token_iterations(2, 3, 100) == 14.0);
    // 10,400 tokens of KV, 50 ms an iteration, 26 token-iterations a request: 8,000 requests per s.
    CHECK(kv_memory_bound(10400.0, Seconds(0.05), 26.0).value() == Approx(8000.0));
}
