// Clusters against a stepper that goes iteration by iteration and searches everything.
#include <deque>
#include <limits>

#include "tests/catch.hpp"
#include "tests/clusters.hpp"

using namespace clusters;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

struct Case {
    AffineTimer::Coefficients cost;
    int prefill = 1, decode = 0;  ///< without decode replicas the first do both
    std::vector<Arrival> arrivals;
    bool least_outstanding = false, resubmit = false, link_of_decode = false, for_answer = false, cancels = false;
    unsigned max_sequences = 1000;
    double token_time = 0, latency = 0, patience = infinity;
    std::vector<ReplicaChange> changes;
};

struct Job {
    double first = infinity, finish = infinity;
    int at = -1;
    unsigned left = 0, context = 0, fill = 0;
    bool gone = false;  ///< its client went away, or it was lost
};
struct Engine {
    bool up = true, begins = false;
    double end = infinity;
    std::deque<std::size_t> waiting;
    std::vector<std::size_t> running, filling;
    int outstanding = 0;
};
struct Due {
    double time;
    enum { change, patience, delivery } kind;
    std::size_t what;
};

class Twin {
  public:
    explicit Twin(const Case& given)
        : of(given),
          jobs(given.arrivals.size()),
          engines(static_cast<std::size_t>(given.prefill + given.decode)),
          link_free(engines.size(), 0.0) {
        for (std::size_t i = 0; i < of.changes.size(); ++i)
            dues.push_back({of.changes[i].time.value(), Due::change, i});
    }

    std::vector<Job> run() {
        for (;;) {
            const double arrival = next < jobs.size() ? of.arrivals[next].time.value() : infinity;
            std::size_t ending = 0, due = 0, beginning = engines.size();
            for (std::size_t i = 0; i < engines.size(); ++i) {
                if (engines[i].end < engines[ending].end) ending = i;
                if (engines[i].begins && beginning == engines.size()) beginning = i;
            }
            for (std::size_t i = 0; i < dues.size(); ++i)
                if (dues[i].time < dues[due].time) due = i;
            const double due_time = dues.empty() ? infinity : dues[due].time;
            const double begin_time = beginning < engines.size() ? now : infinity;
            const double time = std::min({arrival, engines[ending].end, due_time, begin_time});
            if (time == infinity) return jobs;
            now = time;
            if (arrival == now)
                arrive();
            else if (engines[ending].end == now)
                end(ending);
            else if (due_time == now)
                handle(due);
            else
                begin(engines[beginning]);
        }
    }

  private:
    void arrive() {
        if (of.patience < infinity) dues.push_back({now + of.patience, Due::patience, next});
        jobs[next].fill = of.arrivals[next].prompt;
        jobs[next].context = 0;
        jobs[next].left = of.decode > 0 ? 1 : of.arrivals[next].output;
        send(next++);
    }
    int pick(int first, int count, int& turn) {
        if (of.least_outstanding) {
            int best = -1;
            for (int i = first; i < first + count; ++i) {
                const auto key = [&](int e) { return std::pair(engine(e).outstanding, last_given[e]); };
                if (engine(i).up && (best < 0 || key(i) < key(best))) best = i;
            }
            last_given[best] = ++picks;
            return best;
        }
        while (!engine(first + turn).up) turn = (turn + 1) % count;
        const int chosen = first + turn;
        turn = (turn + 1) % count;
        return chosen;
    }
    void send(std::size_t id) {
        const int at = pick(0, of.prefill, front_turn);
        ++engine(at).outstanding;
        join(id, at);
    }
    void join(std::size_t id, int at) {
        jobs[id].at = at;
        engine(at).waiting.push_back(id);
        if (engine(at).end == infinity) engine(at).begins = true;
    }
    /// Requests whose clients went away leave between steps.
    void purge(Engine& engine) {
        const auto leaves = [&](std::size_t id) {
            if (jobs[id].gone) --engine.outstanding;
            return jobs[id].gone;
        };
        if (!of.cancels) return;
        std::erase_if(engine.waiting, leaves);
        std::erase_if(engine.running, leaves);
    }
    void begin(Engine& engine) {
        engine.begins = false;
        purge(engine);
        engine.filling.clear();
        while (!engine.waiting.empty() && engine.running.size() + engine.filling.size() < of.max_sequences) {
            engine.filling.push_back(engine.waiting.front());
            engine.waiting.pop_front();
        }
        if (engine.running.empty() && engine.filling.empty()) return;
        double tokens = 0, context = 0;
        for (const std::size_t id : engine.filling) tokens += jobs[id].fill;
        for (const std::size_t id : engine.running) context += jobs[id].context + 1;
        engine.end = now + (of.cost.constant + of.cost.per_prompt_token * tokens +
                            of.cost.per_decode * static_cast<double>(engine.running.size()) +
                            of.cost.per_context_token * context)
                               .value();
    }
    void end(std::size_t index) {
        Engine& engine = engines[index];
        engine.end = infinity;
        engine.begins = true;
        std::vector<std::size_t> finished, running;
        for (const std::size_t id : engine.running) {
            ++jobs[id].context;
            (--jobs[id].left == 0 ? finished : running).push_back(id);
        }
        for (const std::size_t id : engine.filling) {
            jobs[id].context += jobs[id].fill;
            jobs[id].first = std::min(jobs[id].first, now);
            (--jobs[id].left == 0 ? finished : running).push_back(id);
        }
        engine.running = running;
        engine.filling.clear();
        for (const std::size_t id : finished) {
            --engine.outstanding;
            if (of.decode > 0 && static_cast<int>(index) < of.prefill && of.arrivals[id].output > 1)
                hand_over(id);
            else if (!jobs[id].gone)
                jobs[id].finish = now;
        }
        purge(engine);
    }
    void hand_over(std::size_t id) {
        if (jobs[id].gone) return;
        const int from = jobs[id].at, to = pick(of.prefill, of.decode, decode_turn);
        ++engine(to).outstanding;
        jobs[id].at = to;
        double& free = link_free[static_cast<std::size_t>(of.link_of_decode ? to : from)];
        free = std::max(free, now) + of.token_time * of.arrivals[id].prompt;
        dues.push_back({free + of.latency, Due::delivery, id});
    }
    void handle(std::size_t index) {
        const Due due = dues[index];
        dues.erase(dues.begin() + static_cast<std::ptrdiff_t>(index));
        if (due.kind == Due::delivery) {
            if (jobs[due.what].gone) return void(--engine(jobs[due.what].at).outstanding);
            jobs[due.what].fill = 1;
            jobs[due.what].context = of.arrivals[due.what].prompt;
            jobs[due.what].left = of.arrivals[due.what].output - 1;
            join(due.what, jobs[due.what].at);
        } else if (due.kind == Due::patience) {
            Job& job = jobs[due.what];
            if ((of.for_answer ? job.finish : job.first) == infinity) job.gone = true;
        } else {
            change(of.changes[due.what]);
        }
    }
    void change(const ReplicaChange& change) {
        Engine& failed = engine(static_cast<int>(change.replica));
        if (change.kind == ReplicaChange::Kind::start) return void(failed.up = true);
        failed = {};
        failed.up = false;
        for (std::size_t id = 0; id < next; ++id) {
            Job& job = jobs[id];
            if (job.at != static_cast<int>(change.replica) || job.finish < infinity || job.gone) continue;
            if (!of.resubmit) {
                job.gone = true;
                continue;
            }
            job.first = infinity;
            job.fill = of.arrivals[id].prompt;
            job.context = 0;
            job.left = of.arrivals[id].output;
            send(id);
        }
    }
    Engine& engine(int index) { return engines[static_cast<std::size_t>(index)]; }

    const Case& of;
    std::vector<Job> jobs;
    std::vector<Engine> engines;
    std::vector<double> link_free;
    std::vector<Due> dues;
    std::size_t next = 0;
    double now = 0;
    int front_turn = 0, decode_turn = 0, picks = 0;
    std::map<int, int> last_given;
};

Case random_case(std::uint64_t seed) {
    RandomStream random(seed, "twin");
    const auto number = [&](double low, double high) { return low + (high - low) * random.uniform(); };
    const auto chance = [&](double probability) { return random.uniform() < probability; };
    Case result;
    result.cost = {.constant = Seconds(number(0.005, 0.02)),
                   .per_prompt_token = Seconds(number(1e-5, 2e-4)),
                   .per_decode = Seconds(number(0, 1e-3)),
                   .per_context_token = Seconds(number(0, 1e-5))};
    result.prefill = 1 + static_cast<int>(random.below(5));
    if (chance(0.4)) result.decode = 1 + static_cast<int>(random.below(4));
    result.arrivals = poisson(60 + random.below(120), number(1, 20), 300, 80, seed);
    result.least_outstanding = chance(0.5);
    if (chance(0.5)) result.max_sequences = 1 + static_cast<unsigned>(random.below(12));
    result.token_time = number(1e-6, 2e-3);
    result.latency = chance(0.5) ? 0 : number(0, 0.05);
    result.link_of_decode = chance(0.5);
    if (result.decode == 0 && result.prefill > 1 && chance(0.6)) {
        result.resubmit = chance(0.5);
        double time = 0;
        for (int i = 0; i < 6; ++i) {  // one at a time, so that there is always another
            const auto which = static_cast<std::uint32_t>(random.below(static_cast<std::uint64_t>(result.prefill)));
            result.changes.push_back({Seconds(time += number(0.1, 2)), which, ReplicaChange::Kind::fail});
            result.changes.push_back({Seconds(time += number(0.1, 2)), which, ReplicaChange::Kind::start});
        }
    }
    result.cancels = chance(0.5);
    if (chance(0.4)) result.patience = number(0.05, 3);
    // A client that leaves while its KV waits for a link frees the link for others: here none does.
    result.for_answer = result.decode == 0 && chance(0.4);
    return result;
}

ClusterSettings settings_of(const Case& from, const StepTimer& timer) {
    const char* name = from.least_outstanding ? "least-outstanding" : "round-robin";
    ClusterSettings settings = cluster_of(static_cast<std::uint32_t>(from.prefill), timer, name);
    for (ReplicaSpec& spec : settings.replicas) spec.settings = roomy(1'000'000, from.max_sequences);
    settings.resubmit_lost = from.resubmit;
    settings.changes = from.changes;
    settings.clients.patience = Seconds(from.patience);
    settings.clients.cancels = from.cancels;
    settings.clients.waits = from.for_answer ? ClientRules::Waits::for_answer : ClientRules::Waits::for_first_token;
    if (from.decode == 0) return settings;
    Disaggregation& split = settings.disaggregation.emplace();
    split.decode.assign(static_cast<std::size_t>(from.decode), replica(timer, roomy(1'000'000, from.max_sequences)));
    split.router = &router(name);
    split.kv_per_token = Bytes(1);
    split.bandwidth = BytesPerSecond(1 / from.token_time);
    split.latency = Seconds(from.latency);
    split.link =
        from.link_of_decode ? Disaggregation::Link::of_decode_replica : Disaggregation::Link::of_prefill_replica;
    return settings;
}

}  // namespace

TEST_CASE("clusters agree with a stepper that goes iteration by iteration", "[cluster][twin]") {
    std::size_t answered = 0, unanswered = 0;
    for (std::uint64_t seed = 1; seed <= 400; ++seed) {
        CAPTURE(seed);
        const Case given = random_case(seed);
        const AffineTimer timer(given.cost);
        const Run cluster = run(settings_of(given, timer), given.arrivals);
        const std::vector<Job> jobs = Twin(given).run();
        for (std::size_t i = 0; i < jobs.size(); ++i) {
            CAPTURE(i);
            const Request& request = cluster.requests.at(i);
            REQUIRE((request.first_token == never) == jobs[i].gone);
            ++(jobs[i].gone ? unanswered : answered);
            if (jobs[i].gone) continue;
            REQUIRE(request.first_token.value() == Approx(jobs[i].first).epsilon(1e-9));
            REQUIRE(request.finished.value() == Approx(jobs[i].finish).epsilon(1e-9));
        }
    }
    CHECK(answered > 30'000);
    CHECK(unanswered > 1000);
}
