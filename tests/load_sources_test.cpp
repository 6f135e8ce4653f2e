#include <cmath>
#include <queue>
#include <set>

#include "simulator/load_plan.hpp"
#include "simulator/request_tag.hpp"
#include "tests/allocations.hpp"
#include "tests/catch.hpp"

using namespace plimsoll;

namespace {

Request answered(const Arrival& arrival, Seconds at) {
    Request request;
    request.tag = arrival.tag;
    request.arrival = arrival.time;
    request.prompt = arrival.prompt;
    request.output = arrival.output;
    request.first_token = request.finished = at;
    return request;
}

/// Answers each request after `service`, however many there are, and calls `see(arrival)`.
template <class See>
void drive(Source& source, Seconds service, std::uint64_t most, See see) {
    std::queue<Request> busy;
    for (std::uint64_t taken = 0; taken < most;) {
        const Seconds answer = busy.empty() ? never : busy.front().finished;
        const Seconds next = source.next_time();
        if (next == never && answer == never) return;
        if (next <= answer) {
            const Arrival arrival = source.take();
            REQUIRE(arrival.time == next);
            see(arrival);
            busy.push(answered(arrival, arrival.time + service));
            ++taken;
        } else {
            source.finished(busy.front());
            busy.pop();
        }
    }
}

std::vector<Arrival> sent(const LoadPlan& plan, std::uint64_t most, Seconds service = Seconds{1.0}) {
    std::vector<Arrival> all;
    const auto source = make_source(plan, "test");
    drive(*source, service, most, [&](const Arrival& arrival) { all.push_back(arrival); });
    return all;
}

struct Gaps {
    double mean, cv;
};
Gaps gaps_of(const std::vector<Arrival>& arrivals) {
    double sum = 0, squares = 0, last = 0;
    for (const Arrival& arrival : arrivals) {
        const double gap = arrival.time.value() - last;
        last = arrival.time.value();
        sum += gap;
        squares += gap * gap;
    }
    const auto n = static_cast<double>(arrivals.size());
    return {sum / n, std::sqrt(squares / n - sum * sum / n / n) / (sum / n)};
}

LoadPlan open_plan(const std::string& kind, double rate, double cv = 1.0) {
    LoadPlan plan;
    plan.kind = kind;
    plan.rate = PerSecond(rate);
    plan.cv = cv;
    return plan;
}

LoadPlan closed_plan(std::uint32_t users, const std::string& think) {
    LoadPlan plan;
    plan.kind = "closed";
    plan.users = users;
    plan.think_time = Distribution::parse_seconds(think, "test");
    return plan;
}

/// A plan that each kind accepts.
LoadPlan sample_plan(const std::string& kind) {
    LoadPlan plan;
    plan.kind = kind;
    plan.prompt = Distribution::parse_tokens("lognormal:mean=200,cv=1", "test");
    plan.output = Distribution::parse_tokens("geometric:mean=50", "test");
    plan.requests = 4000;
    if (kind == "closed" || kind == "shared-queue" || kind == "one-each") {
        plan.users = kind == "one-each" ? 4000 : 50;
        plan.think_time = Distribution::uniform(1.0, 3.0);
    } else if (kind == "mixture") {
        plan.classes = {sample_plan("poisson"), sample_plan("closed"), sample_plan("sessions")};
        for (LoadPlan& part : plan.classes) part.requests = 0;
    } else if (kind == "trace") {
        Trace trace;
        for (std::uint32_t i = 0; i < 4000; ++i) {
            trace.arrival.emplace_back(0.5 * i);
            trace.prompt.push_back(1 + i % 7);
            trace.output.push_back(1 + i % 5);
        }
        plan.trace = std::make_shared<const Trace>(trace);
    } else {
        plan.rate = PerSecond(20.0);
    }
    return plan;
}

}  // namespace

TEST_CASE("load: times between arrivals have the mean and the variation asked for") {
    struct Case {
        const char* kind;
        double cv;
    };
    for (const Case& c :
         {Case{"poisson", 1.0}, {"gamma", 0.5}, {"gamma", 1.0}, {"gamma", 2.5}, {"weibull", 0.5}, {"weibull", 2.0}}) {
        INFO(c.kind << " cv " << c.cv);
        constexpr double n = 200'000;
        const Gaps gaps = gaps_of(sent(open_plan(c.kind, 4.0, c.cv), 200'000));
        CHECK(std::abs(gaps.mean * 4.0 - 1.0) < 4.0 * c.cv / std::sqrt(n));
        CHECK(gaps.cv == Approx(c.cv).epsilon(0.03));
    }
    const std::vector<Arrival> regular = sent(open_plan("constant", 4.0), 1000);
    CHECK(regular[0].time == Seconds{0.25});
    CHECK(regular[999].time == Seconds{250.0});
}

TEST_CASE("load: a diurnal curve puts its arrivals where its rate is") {
    LoadPlan plan = open_plan("diurnal", 50.0);
    plan.shape.period = Seconds{40.0};
    // From 1 up to 3 and back, mean 2: the quarters have mean factors 1.5, 2.5, 2.5, 1.5.
    plan.shape.factors = {1.0, 3.0};
    std::array<double, 4> quarters{};
    const std::vector<Arrival> all = sent(plan, 100'000);
    for (const Arrival& arrival : all)
        ++quarters[static_cast<std::size_t>(std::fmod(arrival.time.value(), 40.0) / 10.0)];
    CHECK(quarters[0] / 1e5 == Approx(0.1875).margin(0.006));
    CHECK(quarters[1] / 1e5 == Approx(0.3125).margin(0.007));
    CHECK(quarters[3] / 1e5 == Approx(0.1875).margin(0.006));
    CHECK(1e5 / all.back().time.value() == Approx(50.0).epsilon(0.015));

    // Without factors a sine: over the middle half of the period the mean is 1 + 0.5 x 2 / pi = 1.318.
    plan.shape.factors.clear();
    double middle = 0;
    for (const Arrival& arrival : sent(plan, 100'000)) {
        const double phase = std::fmod(arrival.time.value(), 40.0);
        middle += phase > 10.0 && phase < 30.0 ? 1.0 : 0.0;
    }
    CHECK(middle / 1e5 == Approx(0.5 * 1.318).margin(0.008));
}

TEST_CASE("load: spikes multiply the rate at the end of each period") {
    LoadPlan plan = open_plan("spikes", 10.0);
    plan.shape.period = Seconds{10.0};
    plan.shape.spike = Seconds{1.0};
    plan.shape.spike_factor = 5.0;
    double in_spike = 0;
    for (const Arrival& arrival : sent(plan, 100'000))
        in_spike += std::fmod(arrival.time.value(), 10.0) >= 9.0 ? 1.0 : 0.0;
    // 9 s x 10/s and 1 s x 50/s.
    CHECK(in_spike / 1e5 == Approx(50.0 / 140.0).margin(0.007));
}

TEST_CASE("load: lengths are whole tokens of their laws") {
    LoadPlan plan = open_plan("poisson", 1.0);
    plan.prompt = Distribution::parse_tokens("lognormal:mean=900,cv=1", "test");
    plan.output = Distribution::parse_tokens("fixed:285", "test");
    plan.max_output = 512;
    double sum = 0;
    for (const Arrival& arrival : sent(plan, 100'000)) {
        REQUIRE(arrival.prompt >= 1);
        REQUIRE(arrival.output == 285);
        REQUIRE(arrival.max_output == 512);
        sum += arrival.prompt;
    }
    CHECK(sum / 1e5 == Approx(900.0).epsilon(0.012));
}

TEST_CASE("load: lengths drawn from a recorded set keep prompt and output together") {
    Trace trace;
    trace.prompt = {10, 20, 30};
    trace.output = {1, 2, 3};
    LoadPlan plan = open_plan("poisson", 1.0);
    plan.trace = std::make_shared<const Trace>(trace);
    std::set<std::uint32_t> prompts;
    for (const Arrival& arrival : sent(plan, 1000)) {
        REQUIRE(arrival.prompt == 10 * arrival.output);
        prompts.insert(arrival.prompt);
    }
    CHECK(prompts.size() == 3);
}

TEST_CASE("load: a closed loop obeys Little's law") {
    // 100 users, 2 s of thinking on the mean, 2 s of service: 100 / (2 + 2) requests a second.
    const LoadPlan plan = closed_plan(100, "uniform:min=1s,max=3s");
    const std::vector<Arrival> all = sent(plan, 100'000, Seconds{2.0});
    CHECK(1e5 / all.back().time.value() == Approx(25.0).epsilon(0.005));
}

TEST_CASE("load: users start along the ramp, and think between an answer and the next request") {
    LoadPlan plan = closed_plan(4, "fixed:5s");
    plan.ramp = Seconds{8.0};
    plan.requests = 6;
    const std::vector<Arrival> all = sent(plan, 100, Seconds{1.5});
    REQUIRE(all.size() == 6);
    const std::vector<double> times{0.0, 2.0, 4.0, 6.0, 6.5, 8.5};
    const std::vector<std::uint32_t> users{0, 1, 2, 3, 0, 1};
    for (std::size_t i = 0; i < 6; ++i) {
        CHECK(all[i].time == Seconds{times[i]});
        CHECK(RequestTag::of(all[i].tag).session == users[i]);
    }
}

TEST_CASE("load: users without a ramp start somewhere within a think time, not in chorus") {
    const std::vector<Arrival> all = sent(closed_plan(1000, "fixed:10s"), 1000, Seconds{1e6});
    double sum = 0;
    for (const Arrival& arrival : all) sum += arrival.time.value();
    CHECK(all.back().time < Seconds{10.0});
    // Uniform between 0 and 10 s: the mean of 1000 has a deviation of 10 / sqrt(12 x 1000) = 0.09 s.
    CHECK(sum / 1000 == Approx(5.0).margin(0.3));
}

TEST_CASE("load: a user without an answer thinks on from when that is known") {
    LoadPlan plan = closed_plan(2, "fixed:1s");
    plan.ramp = Seconds{10.0};
    const auto source = make_source(plan, "test");
    Request lost = answered(source->take(), never);
    lost.first_token = never;
    lost.finished = Seconds{5.0};
    CHECK(source->next_time() == Seconds{5.0});
    const Arrival second = source->take();
    source->finished(lost);
    CHECK(source->next_time() == Seconds{6.0});
    lost.tag = second.tag;
    lost.finished = Seconds{7.5};
    source->finished(lost);
    CHECK(source->take().time == Seconds{6.0});
    CHECK(source->next_time() == Seconds{8.5});
}

TEST_CASE("load: a user's n-th request is the same whatever the servers do") {
    LoadPlan plan = closed_plan(20, "exponential:mean=2s");
    plan.prompt = Distribution::parse_tokens("geometric:mean=300", "test");
    const auto by_user = [&](Seconds service) {
        std::vector<std::vector<std::uint32_t>> prompts(20);
        for (const Arrival& arrival : sent(plan, 5000, service))
            prompts[RequestTag::of(arrival.tag).session].push_back(arrival.prompt);
        for (auto& own : prompts) own.resize(100);
        return prompts;
    };
    CHECK(by_user(Seconds{0.1}) == by_user(Seconds{7.0}));
}

TEST_CASE("load: one request a user, all of one length") {
    LoadPlan plan;
    plan.kind = "one-each";
    plan.users = 4;
    plan.ramp = Seconds{2.0};
    plan.prompt = Distribution::fixed(42);
    plan.output = Distribution::fixed(285);
    const std::vector<Arrival> all = sent(plan, 100);
    REQUIRE(all.size() == 4);
    for (std::uint32_t i = 0; i < 4; ++i) {
        CHECK(all[i].time == Seconds{0.5 * i});
        CHECK((all[i].prompt == 42 && all[i].output == 285));
        CHECK(RequestTag::of(all[i].tag).session == i);
    }
}

TEST_CASE("load: a stratified queue has the mean of its law") {
    LoadPlan plan = closed_plan(10, "uniform:min=1s,max=3s");
    plan.kind = "shared-queue";
    plan.requests = 250;
    plan.stratified = true;
    plan.output = Distribution::parse_tokens("lognormal:mean=176,cv=1", "test");
    double sum = 0;
    const std::vector<Arrival> all = sent(plan, 1000);
    for (const Arrival& arrival : all) sum += arrival.output;
    CHECK(all.size() == 250);
    // 250 independent draws would be 6 % off.
    CHECK(sum / 250 == Approx(176.0).epsilon(0.01));
}

TEST_CASE("load: a conversation sends what went before it") {
    LoadPlan plan = closed_plan(1, "fixed:1s");
    plan.kind = "sessions";
    plan.prompt = Distribution::fixed(10);
    plan.output = Distribution::fixed(5);
    plan.session.turns = Distribution::fixed(3);
    plan.session.system_prompt = 100;
    const auto turns = [&] {
        std::vector<std::pair<std::uint32_t, std::uint32_t>> seen;
        for (const Arrival& arrival : sent(plan, 4))
            seen.emplace_back(arrival.prompt, RequestTag::of(arrival.tag).shared_prefix);
        return seen;
    };
    using Seen = std::vector<std::pair<std::uint32_t, std::uint32_t>>;
    // 100 + 10; then 110 + 5 + 10; then 125 + 5 + 10; then another conversation.
    CHECK(turns() == Seen{{110, 100}, {125, 115}, {140, 130}, {110, 100}});
    CHECK(sent(plan, 2)[1].cached == 0);
    plan.prefix_cache = true;
    CHECK(sent(plan, 2)[1].cached == 115);
    plan.session.max_context = 144;  // the third turn would need 140 + 5
    CHECK(turns() == Seen{{110, 100}, {125, 115}, {110, 100}, {125, 115}});
    plan.users = 0;
    plan.rate = PerSecond(0.001);
    plan.session.max_context = 0;
    CHECK(turns() == Seen{{110, 100}, {125, 115}, {140, 130}, {110, 100}});
}

TEST_CASE("load: classes of a mixture keep their shares and their loops") {
    LoadPlan plan;
    plan.kind = "mixture";
    plan.classes = {open_plan("poisson", 1.0), open_plan("poisson", 3.0), closed_plan(8, "fixed:1s")};
    plan.classes[1].prompt = Distribution::fixed(77);
    std::array<double, 3> counts{};
    const std::vector<Arrival> all = sent(plan, 80'000, Seconds{1.0});
    for (const Arrival& arrival : all) {
        const RequestTag tag = RequestTag::of(arrival.tag);
        ++counts[tag.load_class];
        REQUIRE(arrival.prompt == (tag.load_class == 1 ? 77U : 1U));
    }
    // 1 + 3 + 8 / (1 + 1) a second.
    CHECK(counts[0] / 8e4 == Approx(1.0 / 8).margin(0.005));
    CHECK(counts[1] / 8e4 == Approx(3.0 / 8).margin(0.008));
    CHECK(counts[2] / 8e4 == Approx(4.0 / 8).margin(0.008));
}

TEST_CASE("load: laws of every source") {
    for (const std::string& kind : load_sources().names()) {
        INFO(kind);
        const std::vector<Arrival> all = sent(sample_plan(kind), 1'000'000), again = sent(sample_plan(kind), 1'000'000);
        REQUIRE(all.size() == 4000);
        REQUIRE(again.size() == 4000);
        for (std::size_t i = 0; i < all.size(); ++i) {
            REQUIRE((i == 0 || all[i].time >= all[i - 1].time));
            REQUIRE((all[i].prompt >= 1 && all[i].output >= 1));
            REQUIRE((all[i].time == again[i].time && all[i].prompt == again[i].prompt && all[i].tag == again[i].tag));
        }
        LoadPlan other = sample_plan(kind);
        other.seed = 2;
        const std::vector<Arrival> different = sent(other, 1'000'000);
        std::size_t same = 0;
        for (std::size_t i = 0; i < 4000; ++i) same += all[i].prompt == different[i].prompt ? 1U : 0U;
        CHECK((same < 200) == (kind != "trace"));
    }
}

TEST_CASE("load: sources allocate nothing once they run") {
    for (const std::string& kind : load_sources().names()) {
        INFO(kind);
        const auto source = make_source(sample_plan(kind), "test");
        std::vector<Request> busy(16);
        std::uint64_t before = 0;
        for (std::size_t i = 0; i < 3900; ++i) {
            if (i == 2000) before = allocations();
            Request& slot = busy[i % busy.size()];
            if (i >= busy.size()) source->finished(slot);
            if (source->next_time() == never) break;
            slot = answered(source->take(), Seconds{});
            slot.first_token = slot.finished = slot.arrival;
        }
        CHECK(allocations() == before);
    }
}

TEST_CASE("load: a plan that contradicts its kind is refused") {
    const auto message = [](const LoadPlan& plan) -> std::string {
        try {
            static_cast<void>(make_source(plan, "--load"));
        } catch (const InputError& error) {
            return error.what();
        }
        return "";
    };
    CHECK_THAT(message(open_plan("poison", 1.0)), ContainsSubstring("did you mean 'poisson'"));
    CHECK_THAT(message(open_plan("poisson", 0.0)),
               ContainsSubstring("--load: load 'poisson': it needs a rate above 0"));
    CHECK_THAT(message(closed_plan(0, "1s")), ContainsSubstring("it needs users"));
    LoadPlan both = closed_plan(3, "1s");
    both.rate = PerSecond(1.0);
    CHECK_THAT(message(both), ContainsSubstring("a rate cannot be given"));
    LoadPlan queue = closed_plan(3, "1s");
    queue.kind = "shared-queue";
    CHECK_THAT(message(queue), ContainsSubstring("number of requests in the queue"));
    CHECK_THAT(message(open_plan("trace", 0.0)), ContainsSubstring("it needs a trace"));
    LoadPlan mixture;
    mixture.kind = "mixture";
    mixture.classes = {open_plan("gamma", 1.0, 0.0)};
    CHECK_THAT(message(mixture), ContainsSubstring("class 'gamma': cv must be above 0"));
    LoadPlan curve = open_plan("diurnal", 1.0);
    curve.shape.factors = {0.0, -1.0};
    CHECK_THAT(message(curve), ContainsSubstring("must not be negative"));
}

TEST_CASE("load: a scenario's load becomes a plan") {
    Load load;
    load.registered_users = 200;
    load.active_share = 0.5;
    load.think_time = Distribution::uniform(1.0, 3.0);
    Workload workload;
    workload.prompt = Distribution::fixed(42);
    workload.output = Distribution::fixed(285);
    const LoadPlan steady = load_plan(load, workload, 7);
    CHECK(steady.kind == "closed");
    CHECK(steady.users == 100);
    CHECK(steady.seed == 7);
    load.drain = Drain{.requests = 250, .ramp = Seconds{3.0}};
    const LoadPlan drained = load_plan(load, workload, 7);
    CHECK(drained.kind == "shared-queue");
    CHECK(drained.requests == 250);
    CHECK(drained.ramp == Seconds{3.0});
    load.kind = Load::Kind::open;
    load.rate = PerSecond(2.0);
    load.peak_factor = 1.5;
    CHECK(load_plan(load, workload, 7).rate == PerSecond(3.0));
}
