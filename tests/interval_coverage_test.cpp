// What the 80 % intervals and the probabilities of plans claim, against the exact model under draws of all constants.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <random>

#include "model/base/normal.hpp"
#include "model/capacity/judge.hpp"
#include "model/capacity/planner.hpp"
#include "tests/catch.hpp"
#include "tests/library.hpp"

using namespace plimsoll;

namespace {

constexpr int draws = 2000;

constexpr auto ttft = Metric::ttft, tpot = Metric::tpot;
constexpr auto mean = Statistic::mean, p50 = Statistic::p50, p95 = Statistic::p95;

/// Tokens of prompts and answers.
struct Lengths {
    const char *prompt, *output;
};
constexpr Lengths chat{"lognormal:mean=237,cv=0.6,max=1500", "lognormal:mean=200,cv=1,max=512"};
constexpr Lengths documents{"lognormal:mean=666,cv=0.6,max=2000", "lognormal:mean=220,cv=1,max=512"};
constexpr Lengths brief{"lognormal:mean=300,cv=0.7,max=1000", "lognormal:mean=200,cv=0.7,max=900"};
constexpr Lengths api{"lognormal:mean=900,cv=1,max=8192", "lognormal:mean=250,cv=0.8,max=2048"};
constexpr Lengths code{"lognormal:mean=500,cv=0.8,max=2048", "lognormal:mean=150,cv=0.8,max=1024"};

Load by_users(double count, double think) {
    Load load;
    load.registered_users = count;
    load.think_time = Distribution::uniform(0.5 * think, 1.5 * think);
    return load;
}

Load by_rate(double per_second) {
    Load load;
    load.kind = Load::Kind::open;
    load.rate = PerSecond(per_second);
    return load;
}

SloTerm within(Metric metric, Statistic statistic, double limit) {
    return {metric, statistic, Seconds(limit)};
}

Scenario question(const char* model, const char* node, const char* engine, int tensor, Dtype weights,
                  const Lengths& lengths, const Load& load, SloTerm first, SloTerm second) {
    Catalog& catalog = testing::library();
    Scenario scenario;
    scenario.models = {&catalog.models.at(model, "test")};
    scenario.nodes = {&catalog.nodes.at(node, "test")};
    scenario.engines = {&catalog.engines.at(engine, "test")};
    scenario.weights = {weights};
    scenario.tensor_parallel = {tensor};
    scenario.workload.prompt = Distribution::parse_tokens(lengths.prompt, "test");
    scenario.workload.output = Distribution::parse_tokens(lengths.output, "test");
    scenario.load = load;
    scenario.slo.terms = {first, second};
    scenario.cost.amortization = Seconds(1e8);
    return scenario;
}

/// Bound by tokens that come late, by prefills, by the host or by a full cache; exclusive and chunked prefills; dense
/// models and a mixture; light and heavy loads; promises on means and tails.
std::vector<Scenario> questions() {
    const Dtype fp16 = Dtype::fp16, bf16 = Dtype::bf16;
    const char *llama_13b = "llama-13b", *a100 = "a100-40gb-sxm-8", *v1 = "vllm-v1", *tgi = "tgi-lightllm-2023";
    const SloTerm late = within(ttft, mean, 3.15), slow = within(tpot, mean, 0.1);
    return {
        question(llama_13b, a100, v1, 4, fp16, brief, by_users(20000, 2), within(tpot, mean, 0.025),
                 within(ttft, p95, 1.0)),
        question(llama_13b, a100, v1, 1, fp16, brief, by_users(20000, 2), within(tpot, mean, 0.2),
                 within(ttft, p95, 8.0)),
        question(llama_13b, "a40-48gb-pcie-8", tgi, 2, fp16, chat, by_users(10000, 2), late, slow),
        question(llama_13b, "a30-24gb-pcie-8", tgi, 4, fp16, chat, by_users(10000, 2), late, slow),
        question("llama-2-70b", a100, tgi, 8, fp16, chat, by_users(10000, 2), late, slow),
        question("llama-2-70b", "v100-32gb-sxm2-8", tgi, 8, fp16, documents, by_users(2000, 2), late,
                 within(tpot, mean, 0.15)),
        question("llama-3.1-8b", "rtx4090-24gb-pcie-1", v1, 1, bf16, api, by_rate(60), within(ttft, p95, 1.0),
                 within(tpot, p95, 0.05)),
        question("llama-3.1-70b", "h100-80gb-sxm-8", v1, 4, bf16, api, by_rate(90), within(ttft, p95, 1.0),
                 within(tpot, p95, 0.05)),
        question("llama-3.1-70b", "h200-141gb-sxm-8", "sglang", 2, Dtype::fp8, api, by_users(5000, 10),
                 within(ttft, p95, 1.5), within(tpot, p95, 0.06)),
        question("gpt-oss-120b", "h100-80gb-sxm-8", v1, 1, Dtype::mxfp4, api, by_users(3000, 10),
                 within(ttft, p95, 1.5), within(tpot, mean, 0.05)),
        question("llama-2-7b", "a10-24gb-pcie-4", "tgi-3", 1, fp16, code, by_users(1000, 5), within(ttft, mean, 1.5),
                 within(tpot, mean, 0.08)),
        question("qwen2.5-32b", "mi300x-192gb-oam-8", v1, 1, bf16, api, by_users(4000, 15), within(ttft, p95, 1.0),
                 within(tpot, mean, 0.04)),
    };
}

/// Latin hypercube: of each number one draw in each of so many equally likely strata.
std::vector<std::vector<double>> normal_draws(std::size_t numbers) {
    std::mt19937_64 random(7);
    std::vector<std::vector<double>> result(draws, std::vector<double>(numbers));
    for (std::size_t k = 0; k < numbers; ++k) {
        std::vector<std::size_t> order(draws);
        for (std::size_t i = 0; i < draws; ++i) {
            const std::size_t place = random() % (i + 1);
            order[i] = order[place];
            order[place] = i;
        }
        for (std::size_t i = 0; i < draws; ++i) {
            const double within = static_cast<double>(random() >> 11) * 0x1p-53;
            result[i][k] = normal_quantile((static_cast<double>(order[i]) + within) / draws);
        }
    }
    return result;
}

/// Draws below and above an interval, and on its ends.
struct Hits {
    int below = 0, above = 0, ends = 0;
    void add(Interval interval, double value) {
        const auto near = [&](double end) { return value == end || std::abs(value - end) <= 1e-9 * std::abs(end); };
        if (near(interval.low) || near(interval.high))
            ++ends;
        else if (value < interval.low)
            ++below;
        else if (value > interval.high)
            ++above;
    }
    /// Of what is counted in whole users or nodes, many draws lie on the ends: the share inside without and with them.
    [[nodiscard]] Interval inside() const {
        const double with_ends = 1.0 - static_cast<double>(below + above) / draws;
        return {with_ends - static_cast<double>(ends) / draws, with_ends};
    }
};

std::string percent(double share) {
    char text[16];
    std::snprintf(text, sizeof text, "%6.1f", 100.0 * share);
    return text;
}

struct Coverage {
    Hits users, nodes, ttft_p50, ttft_p95, tpot_mean, tpot_p95;
    int kept = 0;
};

bool closed(const Scenario& scenario) {
    return scenario.load.kind == Load::Kind::closed;
}

/// The instance of a candidate under each draw of all constants.
template <typename Use>
void with_each_draw(const Scenario& scenario, const Candidate& candidate, const Use& use) {
    const Architecture architecture(*scenario.models[0]);
    const Deployment& d = candidate.deployment;
    const StepCost nominal(architecture, d);
    const ByCause<double> spread = deviations(d);
    for (const std::vector<double>& normal : normal_draws(cause_count + 1)) {
        ByCause<double> z;
        // The cache's number stands before the last cause's, which came later and leaves the others' draws as they
        // were.
        std::copy_n(normal.begin(), cause_count - 1, z.values.begin());
        z.values.back() = normal.back();
        const MemoryBudget memory =
            with_more_kv(candidate.memory, *d.engine, candidate.memory.deviation * normal[cause_count - 1]);
        const StepCost cost(nominal, d, TimeFactors(spread, z));
        const InstanceModel model(cost, d, memory, scenario.workload,
                                  closed(scenario) ? std::optional(scenario.load.think_time) : std::nullopt);
        Forecaster forecaster(model);
        use(forecaster);
    }
}

/// When the load is spread over so many nodes.
Forecast at_nodes(const Scenario& scenario, const Deployment& d, int nodes, Forecaster& forecaster) {
    const double share = demand_of(scenario) / (nodes * d.instances_per_node);
    if (!closed(scenario)) return forecaster.open(PerSecond(share), Detail::percentiles);
    return forecaster.closed(static_cast<std::size_t>(std::ceil(share - 1e-9)),
                             Seconds(scenario.load.think_time.mean()), Detail::percentiles);
}

bool keeps(const Scenario& scenario, const Forecast& forecast) {
    return !forecast.overloaded && forecast.latencies.worst_ratio(scenario.slo) <= 1.0 + 1e-9;
}

Coverage count(const Scenario& scenario, const Candidate& candidate) {
    const Deployment& d = candidate.deployment;
    const Seconds think(scenario.load.think_time.mean());
    const Uncertainty& stated = *candidate.uncertainty;
    Coverage result;
    with_each_draw(scenario, candidate, [&](Forecaster& forecaster) {
        const double carried = closed(scenario)
                                   ? most_users_within(forecaster, think, scenario.slo, demand_of(scenario))
                                   : highest_rate_within(forecaster, scenario.slo).value();
        const Forecast there = at_nodes(scenario, d, candidate.nodes_needed, forecaster);
        const auto add = [&](Hits& hits, Metric metric, Statistic statistic) {
            hits.add(stated.latencies[static_cast<std::size_t>(metric)][static_cast<std::size_t>(statistic)],
                     there.overloaded ? HUGE_VAL : there.latencies[metric][statistic].value());
        };
        result.users.add(stated.capacity, carried);
        result.nodes.add(stated.nodes, nodes_for(scenario, d, carried));
        add(result.ttft_p50, ttft, p50);
        add(result.ttft_p95, ttft, p95);
        add(result.tpot_mean, tpot, mean);
        add(result.tpot_p95, tpot, p95);
        result.kept += keeps(scenario, there);
    });
    return result;
}

/// Of the draws, those whose promises are kept when the load is spread over so many nodes.
double kept_share(const Scenario& scenario, const Candidate& candidate, int nodes) {
    int kept = 0;
    with_each_draw(scenario, candidate, [&](Forecaster& forecaster) {
        kept += keeps(scenario, at_nodes(scenario, candidate.deployment, nodes, forecaster));
    });
    return static_cast<double>(kept) / draws;
}

}  // namespace

TEST_CASE("80 % intervals hold 80 % of what draws of all constants come to, and promises are kept as often as stated") {
    struct Row {
        std::string name;
        Coverage found;
        double stated;
        [[nodiscard]] double kept() const { return static_cast<double>(found.kept) / draws; }
    };
    std::vector<Row> rows;
    std::string table =
        "inside, %: users, nodes (without and with draws on the ends), TTFT p50, p95, TPOT mean, p95; kept, stated\n";
    double ttft_sum = 0;
    for (const Scenario& scenario : questions()) {
        const Plan planned = plan(scenario, testing::library());
        const std::string name =
            scenario.models[0]->name + ", " + scenario.nodes[0]->name + ", " + scenario.engines[0]->name;
        INFO(name << ": " << planned.answers[0].reason);
        REQUIRE(planned.answers[0].best);
        const Candidate& candidate = *planned.answers[0].best;
        // `deviations` below does not widen what lies beyond measurements.
        REQUIRE(candidate.uncertainty->beyond_measured.empty());
        rows.push_back({name, count(scenario, candidate), candidate.uncertainty->promise_probability});
        const Coverage& found = rows.back().found;
        for (const Interval share : {found.users.inside(), found.nodes.inside()})
            table += percent(share.low) + " -" + percent(share.high);
        for (const Hits* hits : {&found.ttft_p50, &found.ttft_p95, &found.tpot_mean, &found.tpot_p95})
            table += percent(hits->inside().high);
        table += " " + percent(rows.back().kept()) + percent(rows.back().stated) + "  " + name + "\n";
        ttft_sum += found.ttft_p95.inside().high;
    }
    CAPTURE(table);
    for (const Row& row : rows) {
        const Coverage& found = row.found;
        CAPTURE(row.name);
        // On GPT-OSS the cache is full to 99 % and the constant of the experts 30 % unsure: TTFT p95 climbs from 0.1 to
        // 6 s within its interval, steeper than three points tell, so that the interval is too wide.
        const bool steep = row.name.rfind("gpt-oss", 0) == 0;
        for (const Hits* hits : {&found.ttft_p50, &found.ttft_p95, &found.tpot_mean, &found.tpot_p95}) {
            CHECK(hits->inside().high > 0.76);
            CHECK(hits->inside().high < (steep && hits == &found.ttft_p95 ? 0.88 : 0.84));
        }
        for (const Hits* hits : {&found.users, &found.nodes}) {
            CHECK(hits->inside().low < 0.84);
            CHECK(hits->inside().high > 0.76);
        }
        CHECK(std::abs(row.kept() - row.stated) < 0.05);
    }
    CHECK(std::abs(ttft_sum / static_cast<double>(rows.size()) - 0.8) < 0.02);
}

TEST_CASE("Nodes for a confidence keep the promises that often under draws of all constants, and hardly fewer would") {
    for (Scenario scenario : questions()) {
        if (closed(scenario) && scenario.load.registered_users < 10000) continue;  // few nodes come in great steps
        scenario.confidence = 0.9;
        const Plan sure = plan(scenario, testing::library());
        REQUIRE(sure.answers[0].best);
        const Candidate& candidate = *sure.answers[0].best;
        const int nodes = candidate.nodes_needed;
        CAPTURE(scenario.models[0]->name, scenario.nodes[0]->name, nodes);
        CHECK(candidate.uncertainty->promise_probability >= 0.9);
        CHECK(kept_share(scenario, candidate, nodes) > 0.85);
        // A twentieth is what the search may add at a time.
        CHECK(kept_share(scenario, candidate, nodes - nodes / 20 - 1) < 0.95);
    }
}
