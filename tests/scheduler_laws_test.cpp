#include <cmath>

#include "simulator/affine_timer.hpp"
#include "simulator/random.hpp"
#include "tests/catch.hpp"
#include "tests/simulated.hpp"

using namespace plimsoll;
using namespace simulated;

namespace {

struct Seen {
    std::vector<Arrival> arrivals;
    std::vector<Request> requests;
    std::vector<Stride> strides;
    RunCounts counts;
    std::uint64_t left = 0, blocks = 0;
};

/// Bursts of requests on a small pool: queues, preemption, and pauses in which the engine is idle.
Seen run(const SchedulerKind& kind, std::uint64_t seed, double load = 1.0) {
    SchedulerSettings settings = kind.defaults;
    settings.max_sequences = std::min(settings.max_sequences, 24u);
    settings.kv_blocks = 4096 / settings.block_tokens;
    RandomStream random(seed, "laws");
    Seen seen;
    double time = 0;
    for (int i = 0; i < 600; ++i) {
        time += (random.below(8) == 0 ? 3.0 : 0.03) * random.exponential() / load;
        Arrival arrival{.time = Seconds(time),
                        .prompt = 1 + static_cast<std::uint32_t>(random.below(300)),
                        .output = 1 + static_cast<std::uint32_t>(random.below(120))};
        arrival.max_output = arrival.output + static_cast<std::uint32_t>(random.below(40));
        seen.arrivals.push_back(arrival);
    }
    const AffineTimer timer({Seconds(0.01), Seconds(1e-5), Seconds(1e-4), Seconds(1e-7)});
    RequestTable requests;
    Replica replica(requests, timer, kind, settings);
    Script source(seen.arrivals);
    Record record;
    seen.counts = simulate(source, requests, replica, &record);
    seen.left = requests.present() + replica.outstanding() + replica.state().kv().used();
    seen.requests = record.requests;
    seen.strides = record.strides;
    seen.blocks = settings.kv_blocks;
    return seen;
}

double mean_response(const Seen& seen) {
    double sum = 0;
    for (const Request& request : seen.requests) sum += (request.finished - request.arrival).value();
    return sum / static_cast<double>(seen.requests.size());
}

}  // namespace

TEST_CASE("Every scheduler answers every request once and leaves nothing behind") {
    for (const auto& [name, kind] : schedulers()) {
        const Seen seen = run(kind, 1);
        INFO(name);
        CHECK(seen.counts.requests + seen.counts.refused == seen.arrivals.size());
        CHECK(seen.counts.refused == 0);
        CHECK_FALSE(seen.counts.stopped);
        CHECK(seen.left == 0);
        std::uint64_t prompts = 0, computed = 0, tokens = 0, given = 0;
        for (const Request& request : seen.requests) prompts += request.prompt, tokens += request.output;
        for (const Stride& stride : seen.strides)
            computed += stride.prompt_tokens, given += stride.decodes * stride.steps;
        // Padding and recomputation only add; a prefill gives the one token that the decodes of a request do not.
        CHECK(computed >= prompts);
        if (kind.holding == KvHolding::reserved && name != "static-batching") {
            CHECK(computed == prompts);
            CHECK(given + seen.requests.size() == tokens);
        }
    }
}

TEST_CASE("Every scheduler keeps causes before effects and strides apart") {
    for (const auto& [name, kind] : schedulers()) {
        const Seen seen = run(kind, 2);
        INFO(name);
        for (std::size_t i = 0; i < seen.requests.size(); ++i) {
            const Request& request = seen.requests[i];
            REQUIRE(request.arrival == seen.arrivals[i].time);
            REQUIRE(request.arrival <= request.scheduled);
            REQUIRE(request.scheduled + Seconds(0.01) <= request.first_token);
            // No token faster than the constant part of a step.
            REQUIRE((request.finished - request.first_token).value() >= 0.01 * (request.output - 1.0) * (1 - 1e-9));
        }
        for (std::size_t i = 0; i < seen.strides.size(); ++i) {
            const Stride& stride = seen.strides[i];
            REQUIRE(stride.steps >= 1);
            REQUIRE(stride.end > stride.start);
            REQUIRE((i == 0 || stride.start >= seen.strides[i - 1].end));
            REQUIRE(stride.kv_blocks <= seen.blocks);
            REQUIRE(stride.decodes + stride.prompt_chunks <= 24);
        }
    }
}

TEST_CASE("Every scheduler starts nobody before those who came a whole queue earlier") {
    // First starts are in order of arrival everywhere: all admit first come, first served.
    for (const auto& [name, kind] : schedulers()) {
        const Seen seen = run(kind, 3);
        INFO(name);
        for (std::size_t i = 1; i < seen.requests.size(); ++i)
            REQUIRE(seen.requests[i - 1].scheduled <= seen.requests[i].scheduled);
    }
}

TEST_CASE("Every scheduler gives the same bytes again, and slower answers under more load") {
    for (const auto& [name, kind] : schedulers()) {
        const Seen once = run(kind, 4), again = run(kind, 4);
        INFO(name);
        REQUIRE(once.strides.size() == again.strides.size());
        for (std::size_t i = 0; i < once.requests.size(); ++i) {
            REQUIRE(once.requests[i].finished == again.requests[i].finished);
            REQUIRE(once.requests[i].first_token == again.requests[i].first_token);
        }
        CHECK(mean_response(run(kind, 4, 0.3)) < mean_response(once));
        CHECK(mean_response(once) < mean_response(run(kind, 4, 3.0)));
    }
}

TEST_CASE("A replica that fails hands back all its requests and starts anew") {
    for (const auto& [name, kind] : schedulers()) {
        SchedulerSettings settings = kind.defaults;
        settings.kv_blocks = 4096 / settings.block_tokens;
        const AffineTimer timer({.constant = Seconds(1)});
        RequestTable requests;
        Replica replica(requests, timer, kind, settings);
        INFO(name);
        for (int round = 0; round < 2; ++round) {
            for (int i = 0; i < 5; ++i) {
                const std::uint32_t id = requests.add();
                requests[id].prompt = requests[id].output = requests[id].max_output = 40;
                REQUIRE(replica.submit(id, Seconds(100.0 * round + i)));
                while (replica.next_event() < Seconds(100.0 * round + i + 1)) static_cast<void>(replica.advance());
            }
            const auto dropped = replica.drop_all();
            CHECK(dropped.size() == 5);
            for (const std::uint32_t id : dropped) requests.release(id);
            CHECK(replica.outstanding() == 0);
            CHECK(replica.state().kv().used() == 0);
            CHECK(replica.next_event() == never);
        }
    }
}
