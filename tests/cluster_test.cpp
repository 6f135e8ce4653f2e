#include "tests/catch.hpp"
#include "tests/clusters.hpp"

using namespace clusters;

namespace {

// A step of 1 s, and an eighth of a second more for each prompt token.
const AffineTimer timer({.constant = Seconds(1), .per_prompt_token = Seconds(0.125)});

double first(const Run& run, std::size_t tag) {
    return run.requests.at(tag).first_token.value();
}
double finished(const Run& run, std::size_t tag) {
    return run.requests.at(tag).finished.value();
}

}  // namespace

TEST_CASE("a cluster of one replica does what a single run does", "[cluster]") {
    const AffineTimer fine({.constant = Seconds(8e-3),
                            .per_prompt_token = Seconds(5e-5),
                            .per_decode = Seconds(3e-5),
                            .per_context_token = Seconds(1e-7)});
    for (const char* name : {"sarathi", "vllm-v0"}) {
        // Little KV, so that requests are preempted; some are larger than all of it, and refused.
        SchedulerSettings limits = scheduler(name).defaults;
        limits.kv_blocks = 60;
        limits.max_step_tokens = 2048;
        const auto arrivals = poisson(3000, 9, 900, 120, 5);

        RequestTable table;
        Replica alone(table, fine, scheduler(name), limits);
        Tagged source(arrivals);
        Record record;
        const RunCounts counts = simulate(source, table, alone, &record);

        ClusterSettings settings;
        settings.replicas = {{.timer = &fine, .scheduler = &scheduler(name), .settings = limits}};
        settings.router = &router("random");
        const Run cluster = run(settings, arrivals);

        CHECK(counts.refused > 0);
        CHECK(cluster.counts.requests == counts.requests);
        CHECK(cluster.counts.refused == counts.refused);
        CHECK(cluster.counts.iterations == counts.iterations);
        CHECK(cluster.counts.events == counts.events);
        CHECK(cluster.counts.end == counts.end);
        CHECK(cluster.strides.size() == record.strides.size());
        std::uint64_t preemptions = 0;
        for (std::size_t i = 0; i < arrivals.size(); ++i) {
            preemptions += record.requests[i].preemptions;
            REQUIRE(cluster.requests[i].first_token == record.requests[i].first_token);
            REQUIRE(cluster.requests[i].finished == record.requests[i].finished);
            REQUIRE(cluster.requests[i].preemptions == record.requests[i].preemptions);
        }
        CHECK(preemptions > 0);
    }
}

TEST_CASE("two replicas in turn, by hand", "[cluster]") {
    const Run two = run(cluster_of(2, timer), {{.time = Seconds(0), .prompt = 8, .output = 2, .tag = 0},
                                               {.time = Seconds(0.5), .prompt = 16, .output = 1, .tag = 1},
                                               {.time = Seconds(1), .prompt = 8, .output = 2, .tag = 2}});
    // Replica 0: a prefill of 8 tokens takes 2 s, to 2. Request 2, there since 1, is prefilled beside the one decode of
    // request 0: 2 s, to 4. Its own decode takes until 5.
    CHECK(two.requests[0].replica == 0);
    CHECK(first(two, 0) == 2.0);
    CHECK(finished(two, 0) == 4.0);
    CHECK(two.requests[2].replica == 0);
    CHECK(first(two, 2) == 4.0);
    CHECK(finished(two, 2) == 5.0);
    // Replica 1: 16 tokens take 3 s.
    CHECK(two.requests[1].replica == 1);
    CHECK(first(two, 1) == 3.5);
    CHECK(finished(two, 1) == 3.5);
    CHECK(two.counts.requests == 3);
}

TEST_CASE("replicas of one pool may differ", "[cluster]") {
    const AffineTimer slow({.constant = Seconds(4)});
    ClusterSettings settings = cluster_of(1, timer);
    settings.replicas.push_back(replica(slow));
    const Run mixed = run(settings, {{.time = Seconds(0), .prompt = 8, .output = 2, .tag = 0},
                                     {.time = Seconds(0), .prompt = 8, .output = 2, .tag = 1}});
    CHECK(finished(mixed, 0) == 3.0);
    CHECK(finished(mixed, 1) == 8.0);
}

TEST_CASE("a failed replica's requests are lost, or begin again elsewhere", "[cluster]") {
    const std::vector<Arrival> arrivals = {{.time = Seconds(0), .prompt = 8, .output = 10, .tag = 0},
                                           {.time = Seconds(0), .prompt = 8, .output = 4, .tag = 1},
                                           {.time = Seconds(4), .prompt = 8, .output = 1, .tag = 2}};
    ClusterSettings settings = cluster_of(2, timer);
    settings.changes = {{.time = Seconds(3.5), .replica = 0, .kind = ReplicaChange::Kind::fail}};

    const Run lost = run(settings, arrivals);
    CHECK(lost.counts.lost == 1);
    CHECK(lost.counts.requests == 2);
    CHECK(lost.counts.failures == 1);
    CHECK(lost.requests[0].first_token == never);
    CHECK(lost.requests[0].outcome == Request::Outcome::lost);
    CHECK(finished(lost, 0) == 3.5);
    // Replica 1: prefill to 2, decodes to 3, 4; request 2 came at 4 (to the only replica up) and is prefilled beside
    // the last decode, to 6.
    CHECK(finished(lost, 1) == 6.0);
    CHECK(lost.requests[2].replica == 1);
    CHECK(finished(lost, 2) == 6.0);

    settings.resubmit_lost = true;
    const Run again = run(settings, arrivals);
    CHECK(again.counts.lost == 0);
    CHECK(again.counts.resubmitted == 1);
    CHECK(again.counts.requests == 3);
    // Request 0 comes to replica 1 at 3.5 and request 2 at 4: both are prefilled from 4 to 7 (16 tokens); nine more
    // tokens for request 0.
    CHECK(finished(again, 1) == 7.0);
    CHECK(first(again, 0) == 7.0);
    CHECK(finished(again, 0) == 16.0);
    CHECK(again.requests[0].arrival == Seconds(0));
}

TEST_CASE("requests wait while nothing is up, and a replica needs time to start", "[cluster]") {
    ClusterSettings settings = cluster_of(2, timer);
    settings.replicas[1].present = false;
    settings.replicas[1].start_up = Seconds(3);
    settings.changes = {{.time = Seconds(1), .replica = 0, .kind = ReplicaChange::Kind::drain},
                        {.time = Seconds(2), .replica = 1, .kind = ReplicaChange::Kind::start}};
    const Run waited = run(settings, {{.time = Seconds(0), .prompt = 8, .output = 3, .tag = 0},
                                      {.time = Seconds(1.5), .prompt = 8, .output = 1, .tag = 1}});
    // The drained replica answers what it has: prefill to 2, decodes to 4. The other is there from 5.
    CHECK(finished(waited, 0) == 4.0);
    CHECK(waited.requests[1].replica == 1);
    CHECK(finished(waited, 1) == 7.0);

    // A failure during the start-up makes it void; the next start counts from its own time.
    settings.changes.push_back({.time = Seconds(4), .replica = 1, .kind = ReplicaChange::Kind::fail});
    settings.changes.push_back({.time = Seconds(6), .replica = 1, .kind = ReplicaChange::Kind::start});
    const Run later = run(settings, {{.time = Seconds(1.5), .prompt = 8, .output = 1, .tag = 0}});
    CHECK(finished(later, 0) == 11.0);
}

TEST_CASE("replicas that fail by chance are up for their share of the time", "[cluster]") {
    // Up 300 s and down 100 s on average: a request of 1 s, sent every 10 s to the one replica and lost with it, has a
    // chance of 1 - exp(-1 / 300) = 0.33 % while it is up; one that comes while it is down waits for the recovery, and
    // of those that wait the last is on average there for less than 5 s.
    const AffineTimer second({.constant = Seconds(1)});
    ClusterSettings settings = cluster_of(1, second);
    settings.failures = {.mean_up = Seconds(300), .mean_down = Seconds(100), .seed = 3};
    std::vector<Arrival> arrivals(200'000);
    for (std::size_t i = 0; i < arrivals.size(); ++i)
        arrivals[i] = {.time = Seconds(10.0 * static_cast<double>(i)), .tag = i};
    const Run failing = run(settings, arrivals);
    CHECK(failing.counts.requests + failing.counts.lost == arrivals.size());
    std::size_t waited = 0;
    for (const Request& request : failing.requests) waited += request.scheduled > request.arrival ? 1 : 0;
    // 2e6 s have about 5000 cycles of 400 s; the relative deviation of the share down is about sqrt(2 / 5000) = 2 %.
    CHECK(static_cast<double>(waited) / static_cast<double>(arrivals.size()) == Approx(0.25).epsilon(0.06));
    CHECK(static_cast<double>(failing.counts.failures) == Approx(2e6 / 400).epsilon(0.06));
}

TEST_CASE("a client goes away when its patience is over", "[cluster]") {
    ClusterSettings settings = cluster_of(1, timer);
    settings.clients.cancels = false;
    settings.replicas[0].settings.max_sequences = 1;
    settings.clients.patience = Seconds(3);
    const std::vector<Arrival> arrivals = {{.time = Seconds(0), .prompt = 8, .output = 3, .tag = 0},
                                           {.time = Seconds(0), .prompt = 8, .output = 2, .tag = 1},
                                           {.time = Seconds(5), .prompt = 8, .output = 1, .tag = 2}};
    // One at a time: request 0 from 0 to 2 (first token) and 4; request 1 to 6 and 7, but its client left at 3;
    // request 2 comes at 5 and would have its token at 9, after 8.
    const Run left = run(settings, arrivals);
    CHECK(left.counts.requests == 1);
    CHECK(left.counts.timed_out == 2);
    CHECK(finished(left, 0) == 4.0);
    CHECK(left.requests[1].first_token == never);
    CHECK(left.requests[1].outcome == Request::Outcome::timed_out);
    CHECK(finished(left, 1) == 3.0);
    CHECK(finished(left, 2) == 8.0);
    CHECK(left.counts.end == Seconds(9));

    settings.clients.patience = Seconds(4);
    CHECK(run(settings, arrivals).counts.timed_out == 1);  // the step ends first, at 9 too
    settings.clients.waits = ClientRules::Waits::for_answer;
    CHECK(run(settings, arrivals).counts.timed_out == 1);
    settings.clients.patience = Seconds(3.5);
    CHECK(run(settings, arrivals).counts.timed_out == 3);

    // The engine is told: request 1 leaves the queue at 4, and request 2 has its token at 7.
    settings.clients = {.patience = Seconds(3)};
    const Run told = run(settings, arrivals);
    CHECK(told.counts.timed_out == 1);
    CHECK(finished(told, 2) == 7.0);
    // In the middle of its decodes: request 0 is given up at 2.5 and leaves at 3. Request 1 is given up then too, and
    // not begun; request 2 finds the engine idle.
    settings.clients = {.patience = Seconds(2.5), .waits = ClientRules::Waits::for_answer};
    const Run none = run(settings, arrivals);
    CHECK(none.counts.timed_out == 2);
    CHECK(none.counts.end == Seconds(7));
    CHECK(finished(none, 2) == 7.0);
}

TEST_CASE("a client tries again", "[cluster]") {
    ClusterSettings settings = cluster_of(2, timer);
    settings.clients = {.patience = Seconds(2.5), .retries = 1, .retry_delay = Seconds(1)};
    settings.replicas[0].settings.max_sequences = 1;
    // Replica 0 works on request 0 until 2 + 7 = 9; request 2 waits there until 2.5, and is sent again at 3.5, to
    // replica 1 in turn: 5.5.
    const std::vector<Arrival> arrivals = {{.time = Seconds(0), .prompt = 8, .output = 8, .tag = 0},
                                           {.time = Seconds(0), .prompt = 8, .output = 1, .tag = 1},
                                           {.time = Seconds(0), .prompt = 8, .output = 1, .tag = 2}};
    const Run again = run(settings, arrivals);
    CHECK(again.counts.requests == 3);
    CHECK(again.counts.retries == 1);
    CHECK(again.counts.timed_out == 0);
    CHECK(again.requests[2].replica == 1);
    CHECK(finished(again, 2) == 5.5);
    CHECK(again.requests[2].arrival == Seconds(0));
}

TEST_CASE("a replica with all the requests it may have refuses more", "[cluster]") {
    ClusterSettings settings = cluster_of(2, timer);
    settings.most_outstanding = 1;
    const std::vector<Arrival> arrivals = {{.time = Seconds(0), .prompt = 8, .output = 2, .tag = 0},
                                           {.time = Seconds(0), .prompt = 8, .output = 2, .tag = 1},
                                           {.time = Seconds(0), .prompt = 8, .output = 2, .tag = 2},
                                           {.time = Seconds(4), .prompt = 8, .output = 2, .tag = 3}};
    const Run full = run(settings, arrivals);
    CHECK(full.counts.refused == 1);
    CHECK(full.requests[2].first_token == never);
    CHECK(full.requests[2].outcome == Request::Outcome::refused);
    CHECK(finished(full, 2) == 0.0);
    CHECK(full.counts.requests == 3);
}
