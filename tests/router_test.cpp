#include <algorithm>
#include <set>
#include <tuple>

#include "tests/catch.hpp"
#include "tests/clusters.hpp"

using namespace clusters;

namespace {

const AffineTimer timer({.constant = Seconds(8e-3),
                         .per_prompt_token = Seconds(5e-5),
                         .per_decode = Seconds(1e-4),
                         .per_context_token = Seconds(1e-7)});

/// A pool of idle replicas, all up.
struct Bench {
    RequestTable table;
    std::vector<Replica> replicas;
    Pool pool;
    std::unique_ptr<Router> router;

    Bench(const char* name, std::uint32_t count, RouterSettings settings = {})
        : replicas(make(table, count)), pool(replicas) {
        settings.replicas = count;
        router = clusters::router(name).make(settings);
        for (std::uint32_t i = 0; i < count; ++i) set_up(i, true);
    }
    static std::vector<Replica> make(RequestTable& table, std::uint32_t count) {
        std::vector<Replica> result;
        for (std::uint32_t i = 0; i < count; ++i) result.emplace_back(table, timer, scheduler(), roomy(), i);
        return result;
    }
    void set_up(std::uint32_t replica, bool up) {
        pool.set_up(replica, up);
        router->changed(pool, replica);
    }
    std::uint32_t pick(std::uint64_t tag = 0) {
        Request request;
        request.tag = tag;
        return router->pick(pool, request, Seconds{});
    }
    std::uint32_t give(std::uint64_t tag = 0) {
        const std::uint32_t replica = pick(tag);
        pool.give(replica);
        router->changed(pool, replica);
        return replica;
    }
    void take_back(std::uint32_t replica) {
        pool.take_back(replica);
        router->changed(pool, replica);
    }
};

double mean_latency(const Run& run) {
    double sum = 0;
    for (const Request& request : run.requests) sum += (request.finished - request.arrival).value();
    return sum / static_cast<double>(run.requests.size());
}

}  // namespace

TEST_CASE("every router: each request is answered once, the same way each time", "[router]") {
    const auto arrivals = poisson(2000, 40, 400, 60, 9);
    for (const auto& [name, kind] : routers()) {
        CAPTURE(name);
        ClusterSettings settings = cluster_of(5, timer, name.c_str());
        for (ReplicaSpec& spec : settings.replicas) spec.settings = roomy(600, 8);
        // Replicas come and go, clients go away and come again: still each request ends once.
        settings.changes = {{.time = Seconds(5), .replica = 1, .kind = ReplicaChange::Kind::fail},
                            {.time = Seconds(9), .replica = 1, .kind = ReplicaChange::Kind::start},
                            {.time = Seconds(12), .replica = 4, .kind = ReplicaChange::Kind::drain}};
        settings.resubmit_lost = true;
        settings.clients = {.patience = Seconds(2), .retries = 2, .retry_delay = Seconds(0.5)};

        std::vector<std::vector<Request>> ended;
        for (int time = 0; time < 2; ++time) {
            RequestTable table;
            Cluster cluster(settings, table);
            Tagged source(arrivals);
            const ClusterCounts counts = cluster.run(source);
            CHECK(counts.requests + counts.refused + counts.timed_out + counts.lost == arrivals.size());
            CHECK_FALSE(counts.stopped);
            CHECK(table.present() == 0);
            std::set<std::uint64_t> tags;
            std::uint64_t answered = 0;
            for (const Request& request : source.ended) {
                CHECK(tags.insert(request.tag).second);
                CHECK(request.prompt == arrivals[request.tag].prompt);
                CHECK(request.output == arrivals[request.tag].output);
                if (request.first_token == never) continue;
                ++answered;
                CHECK(request.arrival <= request.scheduled);
                CHECK(request.scheduled < request.first_token);
                CHECK(request.first_token <= request.finished);
            }
            CHECK(tags.size() == arrivals.size());
            CHECK(answered == counts.requests);
            ended.push_back(source.ended);
        }
        REQUIRE(ended[0].size() == ended[1].size());
        for (std::size_t i = 0; i < ended[0].size(); ++i) {
            REQUIRE(ended[0][i].tag == ended[1][i].tag);
            REQUIRE(ended[0][i].finished == ended[1][i].finished);
        }
    }
}

TEST_CASE("every router: with one replica there is nothing to choose", "[router]") {
    const auto arrivals = poisson(500, 8, 400, 60, 11);
    const Run reference = run(cluster_of(1, timer), arrivals);
    for (const auto& [name, kind] : routers()) {
        CAPTURE(name);
        const Run other = run(cluster_of(1, timer, name.c_str()), arrivals);
        for (std::size_t i = 0; i < arrivals.size(); ++i)
            REQUIRE(other.requests[i].finished == reference.requests[i].finished);
    }
}

TEST_CASE("every router: only replicas that are up are picked, and all of them by many tags", "[router]") {
    for (const auto& [name, kind] : routers()) {
        CAPTURE(name);
        Bench bench(name.c_str(), 7);
        bench.set_up(2, false);
        bench.set_up(5, false);
        std::set<std::uint32_t> picked;
        for (std::uint64_t tag = 0; tag < 500; ++tag) picked.insert(bench.give(tag));
        CHECK(picked == std::set<std::uint32_t>{0, 1, 3, 4, 6});
        for (const std::uint32_t replica : {0U, 1U, 4U, 6U}) bench.set_up(replica, false);
        CHECK(bench.pick(77) == 3);
    }
}

TEST_CASE("round robin goes by index and passes over what is down", "[router]") {
    Bench bench("round-robin", 4);
    std::vector<std::uint32_t> picked;
    for (int i = 0; i < 5; ++i) picked.push_back(bench.give());
    bench.set_up(2, false);
    for (int i = 0; i < 4; ++i) picked.push_back(bench.give());
    bench.set_up(2, true);
    for (int i = 0; i < 3; ++i) picked.push_back(bench.give());
    CHECK(picked == std::vector<std::uint32_t>{0, 1, 2, 3, 0, 1, 3, 0, 1, 2, 3, 0});
}

TEST_CASE("least outstanding takes the fewest, then the one longest without", "[router]") {
    Bench bench("least-outstanding", 3);
    CHECK(bench.give() == 0);
    CHECK(bench.give() == 1);
    CHECK(bench.give() == 2);
    bench.take_back(1);
    CHECK(bench.give() == 1);
    bench.take_back(2);
    bench.take_back(0);
    CHECK(bench.give() == 0);  // given its last before 2
    CHECK(bench.give() == 2);
    // Against a search through all, for a while of comings and goings.
    RandomStream random(4, "test");
    for (int i = 0; i < 2000; ++i) {
        if (random.uniform() < 0.5) {
            const std::uint32_t replica = bench.give();
            std::uint32_t least = 1'000'000;
            for (std::uint32_t other = 0; other < 3; ++other)
                least = std::min(least, bench.pool.outstanding(other) - (other == replica ? 1 : 0));
            REQUIRE(bench.pool.outstanding(replica) == least + 1);
        } else {
            const auto replica = static_cast<std::uint32_t>(random.below(3));
            if (bench.pool.outstanding(replica) > 0) bench.take_back(replica);
        }
    }
}

TEST_CASE("a random router gives to all alike", "[router]") {
    Bench bench("random", 8);
    std::vector<int> given(8);
    for (int i = 0; i < 80'000; ++i) ++given[bench.pick()];
    // 10000 each, with a deviation of about 94.
    for (const int count : given) CHECK(std::abs(count - 10'000) < 400);
}

TEST_CASE("the power of two choices balances better than chance, and knowing all better still", "[router]") {
    // 16 replicas that take one request at a time, to about 80 %.
    const auto arrivals = poisson(40'000, 66, 20, 40, 21);
    const auto latency = [&](const char* name) {
        ClusterSettings settings = cluster_of(16, timer, name);
        for (ReplicaSpec& spec : settings.replicas) spec.settings.max_sequences = 1;
        return mean_latency(run(settings, arrivals));
    };
    const double by_chance = latency("random"), of_two = latency("power-of-two"), least = latency("least-outstanding");
    CHECK(of_two < 0.7 * by_chance);
    CHECK(least < of_two);
    // Turns come more evenly than chance.
    CHECK(latency("round-robin") < by_chance);
}

TEST_CASE("a session stays on its replica, and returns to it", "[router]") {
    Bench bench("session-affinity", 6, {.session = {.shift = 4, .bits = 20}});
    const auto home = [&](std::uint64_t session, std::uint64_t turn) { return bench.pick((session << 4) | turn); };
    std::vector<int> sessions(6);
    for (std::uint64_t session = 0; session < 600; ++session) {
        const std::uint32_t at = home(session, 0);
        ++sessions[at];
        for (std::uint64_t turn = 1; turn < 16; ++turn) REQUIRE(home(session, turn) == at);
    }
    for (const int count : sessions) CHECK(std::abs(count - 100) < 50);

    std::vector<std::uint32_t> before;
    for (std::uint64_t session = 0; session < 600; ++session) before.push_back(home(session, 0));
    bench.set_up(3, false);
    std::set<std::uint32_t> refuges;
    for (std::uint64_t session = 0; session < 600; ++session) {
        const std::uint32_t at = home(session, 0);
        if (before[session] == 3)
            refuges.insert(at);
        else
            REQUIRE(at == before[session]);
    }
    CHECK(refuges.size() == 5);
    bench.set_up(3, true);
    for (std::uint64_t session = 0; session < 600; ++session) REQUIRE(home(session, 0) == before[session]);
}

TEST_CASE("a prefix stays together within the bound on a replica's load", "[router]") {
    Bench bench("prefix-affinity", 4, {.prefix = {.shift = 0, .bits = 8}, .load_factor = 1.5});
    // One at a time: always the same.
    const std::uint32_t home = bench.pick(7);
    for (std::uint64_t other = 0; other < 50; ++other) CHECK(bench.pick((other << 8) | 7) == home);
    // All with one prefix at once: never more than 1.5 times the mean, so rounded up.
    for (std::uint32_t given = 1; given <= 400; ++given) {
        bench.give(7);
        for (std::uint32_t i = 0; i < 4; ++i) REQUIRE(bench.pool.outstanding(i) < 1.5 * given / 4 + 1);
    }
    // The bound is used: the home has its full share.
    CHECK(bench.pool.outstanding(home) >= 149);
}

/// Least KV as it is defined: all replicas are asked for each request.
class AskAll final : public Router {
  public:
    [[nodiscard]] std::uint32_t pick(const Pool& pool, const Request&, Seconds now) override {
        const auto key = [&](std::uint32_t i) { return std::tuple(pool.kv_share(i, now), pool.outstanding(i), i); };
        std::uint32_t best = pool.up_at(0);
        for (std::uint32_t k = 1; k < pool.up_count(); ++k)
            if (key(pool.up_at(k)) < key(best)) best = pool.up_at(k);
        return best;
    }
};

TEST_CASE("least KV chooses what asking all replicas would choose, under every scheduler", "[router]") {
    const RouterKind ask_all{.description = "",
                             .make = [](const RouterSettings&) { return std::make_unique<AskAll>(); }};
    std::uint64_t preempted = 0;
    for (const auto& [name, kind] : schedulers())
        for (const double rate : {8.0, 40.0, 200.0}) {
            CAPTURE(name, rate);
            ClusterSettings settings;
            for (std::uint32_t i = 0; i < 7; ++i) {
                ReplicaSpec spec = {.timer = &timer, .scheduler = &kind, .settings = kind.defaults};
                spec.settings.max_sequences = std::min(spec.settings.max_sequences, 12u);
                spec.settings.kv_blocks = (700 + 100 * (i % 3)) / spec.settings.block_tokens;
                settings.replicas.push_back(spec);
            }
            settings.resubmit_lost = true;
            settings.changes = {{.time = Seconds(2), .replica = 1, .kind = ReplicaChange::Kind::fail},
                                {.time = Seconds(4), .replica = 1, .kind = ReplicaChange::Kind::start}};
            settings.clients = {.patience = Seconds(6)};
            const auto arrivals = poisson(1500, rate, 150, 120, 5);
            settings.router = &router("least-kv");
            const Run one = run(settings, arrivals);
            settings.router = &ask_all;
            const Run other = run(settings, arrivals);
            for (std::size_t i = 0; i < one.requests.size(); ++i) {
                REQUIRE(one.requests[i].replica == other.requests[i].replica);
                preempted += one.requests[i].preemptions;
            }
        }
    CHECK(preempted > 1000);
}

TEST_CASE("least KV looks at the share in use", "[router]") {
    // Two replicas, the second with ten times the KV: a long prompt leaves it with the smaller share.
    ClusterSettings settings = cluster_of(2, timer, "least-kv");
    settings.replicas[0].settings = roomy(1000);
    settings.replicas[1].settings = roomy(10'000);
    const Run shares = run(settings, {{.time = Seconds(0), .prompt = 300, .output = 300, .tag = 0},
                                      {.time = Seconds(0.5), .prompt = 1000, .output = 300, .tag = 1},
                                      {.time = Seconds(1), .prompt = 100, .output = 50, .tag = 2}});
    CHECK(shares.requests[0].replica == 0);  // both empty: the lowest index
    CHECK(shares.requests[1].replica == 1);  // 30 % of 0 against nothing
    CHECK(shares.requests[2].replica == 1);  // 30 % against 10 %, though both have one request
}
