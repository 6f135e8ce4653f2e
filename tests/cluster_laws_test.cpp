#include <algorithm>
#include <cmath>

#include "simulator/statistics.hpp"
#include "tests/catch.hpp"
#include "tests/clusters.hpp"

using namespace clusters;

// What holds under every scheduler behind every router; mishaps are in the fuzzed clusters.
namespace {

const AffineTimer timer({.constant = Seconds(0.01),
                         .per_prompt_token = Seconds(1e-5),
                         .per_decode = Seconds(1e-4),
                         .per_context_token = Seconds(1e-7)});

/// Three replicas with room for a dozen of the requests at once, at so many requests a second.
Run run_of(const SchedulerKind& kind, const RouterKind& router, double rate, std::uint64_t seed) {
    ClusterSettings settings;
    ReplicaSpec spec = {.timer = &timer, .scheduler = &kind, .settings = kind.defaults};
    spec.settings.max_sequences = std::min(spec.settings.max_sequences, 16u);
    spec.settings.kv_blocks = 2048 / spec.settings.block_tokens;
    settings.replicas.assign(3, spec);
    settings.router = &router;
    return run(settings, poisson(400, rate, 200, 80, seed));
}

double mean_response(const Run& run) {
    double sum = 0;
    for (const Request& request : run.requests) sum += (request.finished - request.arrival).value();
    return sum / static_cast<double>(run.requests.size());
}

template <class Check>
void for_all_pairs(Check check) {
    for (const auto& [scheduler, kind] : schedulers())
        for (const auto& [router, router_kind] : routers()) {
            CAPTURE(scheduler, router);
            check(kind, router_kind);
        }
}

}  // namespace

TEST_CASE("every scheduler behind every router: nobody starves in an overload", "[router]") {
    for_all_pairs([](const SchedulerKind& kind, const RouterKind& router) {
        const Run seen = run_of(kind, router, 300, 1);
        REQUIRE(seen.counts.requests == seen.requests.size());
        // First come, first served on each replica.
        std::vector<Seconds> last(3);
        for (const Request& request : seen.requests) {
            REQUIRE(request.scheduled >= last[request.replica]);
            last[request.replica] = request.scheduled;
        }
        // All the work there is, done by one replica step by step, padding to the longest and recomputation included,
        // takes less than ten times what every token alone would.
        double tokens = 0;
        for (const Request& request : seen.requests) tokens += request.output;
        REQUIRE(seen.counts.end.value() < 10 * 0.02 * tokens);
    });
}

TEST_CASE("every scheduler behind every router: more load, slower answers within the noise", "[router]") {
    for_all_pairs([](const SchedulerKind& kind, const RouterKind& router) {
        std::vector<Estimate> means;
        for (const double rate : {2.0, 10.0, 40.0, 160.0}) {
            std::vector<double> responses;
            for (std::uint64_t seed = 1; seed <= 4; ++seed)
                responses.push_back(mean_response(run_of(kind, router, rate, seed)));
            means.push_back(mean_of(responses));
        }
        for (std::size_t i = 1; i < means.size(); ++i) CHECK(means[i].high() > means[i - 1].low());
        // Over the whole range it shows.
        CHECK(means.back().low() > means.front().high());
    });
}

TEST_CASE("every scheduler behind every router: work is neither lost nor made", "[router]") {
    for_all_pairs([](const SchedulerKind& kind, const RouterKind& router) {
        const Run seen = run_of(kind, router, 30, 2), again = run_of(kind, router, 30, 2);
        std::uint64_t prompts = 0, computed = 0, tokens = 0, given = 0, preempted = 0;
        for (const Request& request : seen.requests) {
            prompts += request.prompt;
            tokens += request.output;
            preempted += request.preemptions;
        }
        for (const Stride& stride : seen.strides) {
            computed += stride.prompt_tokens;
            given += stride.decodes * stride.steps;
            REQUIRE(stride.kv_blocks <= 2048 / kind.defaults.block_tokens);
        }
        // Padding and recomputation only add. Decodes give every token but those of the prefills: one for each request,
        // and at most one for each time that it was computed again.
        CHECK(computed >= prompts);
        CHECK(given + seen.requests.size() + preempted >= tokens);
        if (preempted == 0 && &kind != schedulers().find("static-batching")) CHECK(computed == prompts);
        // The same again.
        REQUIRE(again.requests.size() == seen.requests.size());
        for (std::size_t i = 0; i < seen.requests.size(); ++i) {
            REQUIRE(seen.requests[i].finished == again.requests[i].finished);
            REQUIRE(seen.requests[i].replica == again.requests[i].replica);
        }
    });
}
