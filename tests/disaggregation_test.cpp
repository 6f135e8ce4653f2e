#include <set>

#include "tests/catch.hpp"
#include "tests/clusters.hpp"

using namespace clusters;

namespace {

// A step of 1 s, and an eighth of a second more for each prompt token.
const AffineTimer timer({.constant = Seconds(1), .per_prompt_token = Seconds(0.125)});

// A link takes an eighth of a second for a token's KV, and a quarter of a second on the way.
ClusterSettings split(std::uint32_t prefill, std::uint32_t decode, const StepTimer& by = timer) {
    ClusterSettings settings = cluster_of(prefill, by);
    settings.disaggregation.emplace();
    settings.disaggregation->decode.assign(decode, replica(by));
    settings.disaggregation->router = &router("round-robin");
    settings.disaggregation->kv_per_token = Bytes(1);
    settings.disaggregation->bandwidth = BytesPerSecond(8);
    settings.disaggregation->latency = Seconds(0.25);
    return settings;
}

double first(const Run& run, std::size_t tag) {
    return run.requests.at(tag).first_token.value();
}
double finished(const Run& run, std::size_t tag) {
    return run.requests.at(tag).finished.value();
}

}  // namespace

TEST_CASE("prefill, transfer, decode, by hand", "[disaggregation]") {
    const Run one = run(split(1, 1), {{.time = Seconds(0), .prompt = 8, .output = 3, .tag = 0},
                                      {.time = Seconds(10), .prompt = 8, .output = 1, .tag = 1}});
    // Prefill to 2, where the first token is; 8 tokens on the link to 3, there at 3.25. The first decode step is that
    // of one new token, 1.125 s, to 4.375; the second to 5.375.
    CHECK(first(one, 0) == 2.0);
    CHECK(finished(one, 0) == 5.375);
    CHECK(one.requests[0].prompt == 8);
    CHECK(one.requests[0].output == 3);
    // An answer of one token has no use for a decode replica.
    CHECK(finished(one, 1) == 12.0);
    CHECK(one.counts.transfers == 1);
    CHECK(one.counts.transferred_tokens == 8);
    CHECK(one.counts.requests == 2);
}

TEST_CASE("a link sends one request at a time", "[disaggregation]") {
    const std::vector<Arrival> arrivals = {{.time = Seconds(0), .prompt = 8, .output = 2, .tag = 0},
                                           {.time = Seconds(0), .prompt = 8, .output = 2, .tag = 1}};
    ClusterSettings settings = split(2, 1);
    // Both prefilled at 2, each on its own link to 3, there at 3.25: one step with two tokens.
    const Run senders = run(settings, arrivals);
    CHECK(finished(senders, 0) == 4.5);
    CHECK(finished(senders, 1) == 4.5);
    // One after the other: there at 3.25 and 4.25; the second waits for the step from 3.25 to 4.375.
    settings.disaggregation->link = Disaggregation::Link::of_decode_replica;
    const Run receiver = run(settings, arrivals);
    CHECK(finished(receiver, 0) == 4.375);
    CHECK(finished(receiver, 1) == 5.5);
}

TEST_CASE("KV is sent when the decode replica has room for it", "[disaggregation]") {
    ClusterSettings settings = split(2, 1);
    settings.disaggregation->decode[0].settings = roomy(20);
    const Run run_of_two = run(settings, {{.time = Seconds(0), .prompt = 8, .output = 5, .tag = 0},
                                          {.time = Seconds(0), .prompt = 12, .output = 2, .tag = 1}});
    // Request 0 is there at 3.25 with 9 of 20 blocks, and ends at 4.375 + 3 steps. Request 1 is prefilled at 2.5 and
    // needs 13 blocks: 1.5 s on the link from 7.375, 0.25 s on the way, one step of 1.125 s.
    CHECK(finished(run_of_two, 0) == 7.375);
    CHECK(first(run_of_two, 1) == 2.5);
    CHECK(finished(run_of_two, 1) == 10.25);

    // A prompt that no decode replica could ever hold is refused when that is known.
    const Run large = run(settings, {{.time = Seconds(0), .prompt = 20, .output = 2, .tag = 0},
                                     {.time = Seconds(0), .prompt = 8, .output = 2, .tag = 1}});
    CHECK(large.counts.refused == 1);
    CHECK(large.requests[0].first_token == never);
    CHECK(large.counts.requests == 1);

    // Until then it is held, and keeps others out; its refusal lets them in. The decode replica comes at 10; request 1
    // is prefilled to 12, 1 s on the link, 0.25 s on the way, one step of 1.125 s.
    ClusterSettings late = split(1, 1);
    late.disaggregation->decode[0].settings = roomy(20);
    late.disaggregation->decode[0].present = false;
    late.disaggregation->most_held_tokens = 10;
    late.changes = {{.time = Seconds(10), .replica = 1, .kind = ReplicaChange::Kind::start}};
    const Run held = run(late, {{.time = Seconds(0), .prompt = 20, .output = 2, .tag = 0},
                                {.time = Seconds(5), .prompt = 8, .output = 2, .tag = 1}});
    CHECK(held.requests[0].outcome == Request::Outcome::refused);
    CHECK(finished(held, 0) == 10.0);
    CHECK(first(held, 1) == 12.0);
    CHECK(finished(held, 1) == 14.375);
}

TEST_CASE("a prefill replica that holds too much KV takes no new request", "[disaggregation]") {
    ClusterSettings settings = split(1, 1);
    const std::vector<Arrival> arrivals = {{.time = Seconds(0), .prompt = 8, .output = 5, .tag = 0},
                                           {.time = Seconds(2.5), .prompt = 8, .output = 1, .tag = 1}};
    CHECK(first(run(settings, arrivals), 1) == 4.5);
    settings.disaggregation->most_held_tokens = 5;  // 8 are held from 2 until they have been sent at 3
    CHECK(first(run(settings, arrivals), 1) == 5.0);
}

TEST_CASE("KV is lost with either of its replicas", "[disaggregation]") {
    ClusterSettings settings = split(1, 2);
    settings.resubmit_lost = true;
    const std::vector<Arrival> arrivals = {{.time = Seconds(0), .prompt = 8, .output = 2, .tag = 0}};
    // The decode replica fails while the KV is on its way, at 3.125: again from there, to the other decode replica:
    // 3.125 + 2 + 1 + 0.25 + 1.125.
    settings.changes = {{.time = Seconds(3.125), .replica = 1, .kind = ReplicaChange::Kind::fail}};
    const Run receiver = run(settings, arrivals);
    CHECK(first(receiver, 0) == 5.125);
    CHECK(finished(receiver, 0) == 7.5);
    CHECK(receiver.requests[0].replica == 2);
    CHECK(receiver.counts.resubmitted == 1);

    // The prefill replica fails at 2.5, in the middle of sending, and is back at 6; the link has a second transfer's
    // time only after the first would have ended.
    settings.changes = {{.time = Seconds(2.5), .replica = 0, .kind = ReplicaChange::Kind::fail},
                        {.time = Seconds(6), .replica = 0, .kind = ReplicaChange::Kind::start}};
    const Run sender = run(settings, arrivals);
    CHECK(first(sender, 0) == 8.0);
    CHECK(finished(sender, 0) == 10.375);

    // It fails after the last byte has left: nothing is lost.
    settings.changes[0].time = Seconds(3.125);
    CHECK(run(settings, arrivals).counts.resubmitted == 0);
}

TEST_CASE("prefilled and decoded tokens are those that were asked for", "[disaggregation]") {
    const AffineTimer fine({.constant = Seconds(8e-3), .per_prompt_token = Seconds(5e-5), .per_decode = Seconds(1e-4)});
    ClusterSettings settings = split(3, 2, fine);
    settings.disaggregation->bandwidth = BytesPerSecond(20e3);
    settings.disaggregation->decode[1].settings = roomy(3000);
    settings.disaggregation->most_held_tokens = 2000;
    const auto arrivals = poisson(2000, 40, 400, 60, 31);
    const Run all = run(settings, arrivals);
    CHECK(all.counts.requests == arrivals.size());
    std::uint64_t prompt = 0, decoded = 0, sent = 0;
    for (const Arrival& arrival : arrivals) {
        prompt += arrival.prompt;
        decoded += arrival.output - 1;
        sent += arrival.output > 1 ? arrival.prompt : 0;
    }
    std::uint64_t prefilled = 0, given = 0;
    for (const Stride& stride : all.strides) {
        if (stride.replica < 3)
            prefilled += stride.prompt_tokens;
        else
            given += stride.prompt_tokens + stride.steps * stride.decodes;
        if (stride.replica == 4) CHECK(stride.kv_blocks <= 3000);
    }
    CHECK(prefilled == prompt);
    CHECK(given == decoded);
    CHECK(all.counts.transferred_tokens == sent);
    for (const Request& request : all.requests) CHECK((request.replica >= 3) == (request.output > 1));
}

TEST_CASE("every request ends once whatever fails and whoever leaves", "[disaggregation]") {
    const AffineTimer fine({.constant = Seconds(8e-3), .per_prompt_token = Seconds(5e-5), .per_decode = Seconds(1e-4)});
    const auto arrivals = poisson(4000, 40, 400, 60, 33);
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
        CAPTURE(seed);
        ClusterSettings settings = split(3, 3, fine);
        settings.disaggregation->bandwidth = BytesPerSecond(10e3);
        settings.disaggregation->link =
            seed % 2 == 0 ? Disaggregation::Link::of_prefill_replica : Disaggregation::Link::of_decode_replica;
        settings.disaggregation->router = &router("least-outstanding");
        for (ReplicaSpec& spec : settings.disaggregation->decode) spec.settings = roomy(900);
        settings.disaggregation->most_held_tokens = 1500;
        settings.most_outstanding = 40;
        settings.failures = {.mean_up = Seconds(8), .mean_down = Seconds(3), .seed = seed};
        settings.resubmit_lost = seed % 3 != 0;
        settings.clients = {
            .patience = Seconds(seed % 4 == 0 ? 1.0 : 3.0),
            .waits = seed % 4 < 2 ? ClientRules::Waits::for_first_token : ClientRules::Waits::for_answer,
            .retries = static_cast<std::uint32_t>(seed % 3),
            .retry_delay = Seconds(0.3)};
        RequestTable table;
        Cluster cluster(settings, table);
        Tagged source(arrivals);
        const ClusterCounts counts = cluster.run(source);
        CHECK(counts.requests + counts.refused + counts.timed_out + counts.lost == arrivals.size());
        CHECK_FALSE(counts.stopped);
        CHECK(counts.failures > 0);
        CHECK(table.present() == 0);
        std::set<std::uint64_t> tags;
        for (const Request& request : source.ended) CHECK(tags.insert(request.tag).second);
        CHECK(tags.size() == arrivals.size());
    }
}

TEST_CASE("every scheduler either decodes for others or says that it does not", "[disaggregation]") {
    std::set<std::string> unable;
    for (const auto& [name, kind] : schedulers()) {
        CAPTURE(name);
        ReplicaSpec spec = {.timer = &timer, .scheduler = &kind, .settings = kind.defaults};
        spec.settings.kv_blocks = 100'000 / spec.settings.block_tokens;
        if (!continues_prefill(spec)) {
            unable.insert(name);
            continue;
        }
        // Nothing but the one token is computed as prompt, and all requests are answered.
        ClusterSettings settings = split(1, 1);
        settings.disaggregation->decode = {spec};
        const auto arrivals = poisson(60, 0.2, 50, 20, 3);
        const Run all = run(settings, arrivals);
        CHECK(all.counts.requests == arrivals.size());
        for (const Stride& stride : all.strides)
            if (stride.replica == 1) REQUIRE(stride.prompt_tokens == stride.prompt_chunks);
    }
    // Padding computes more than what is left.
    CHECK(unable == std::set<std::string>{"static-batching"});
}
