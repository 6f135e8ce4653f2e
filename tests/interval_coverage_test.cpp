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

constexpr int draws = 500;

/// A question to the planner, and how many come: users who think for 2 to 20 s in the mean, or requests a second.
struct Row {
    const char *model, *node, *engine;
    int tensor;
    Dtype weights;
    const char *prompt, *output;
    double users, think, rate;
    std::vector<SloTerm> promises;
};

constexpr auto ttft = Metric::ttft, tpot = Metric::tpot;
constexpr auto mean = Statistic::mean, p50 = Statistic::p50, p95 = Statistic::p95;
constexpr const char *chat_in = "lognormal:mean=237,cv=0.6,max=1500", *chat_out = "lognormal:mean=200,cv=1,max=512";
constexpr const char *api_in = "lognormal:mean=900,cv=1,max=8192", *api_out = "lognormal:mean=250,cv=0.8,max=2048";
constexpr const char *short_in = "lognormal:mean=300,cv=0.7,max=1000", *short_out = "lognormal:mean=200,cv=0.7,max=900";

/// Bound by tokens that come late, by prefills, by the host or by a full cache; exclusive and chunked prefills; dense
/// models and a mixture; light and heavy loads; promises on means and tails.
std::vector<Row> questions() {
    const auto term = [](Metric metric, Statistic statistic, double s) {
        return SloTerm{metric, statistic, Seconds(s)};
    };
    const std::vector<SloTerm> documents{term(ttft, mean, 3.15), term(tpot, mean, 0.1)};
    return {
        {"llama-13b",
         "a100-40gb-sxm-8",
         "vllm-v1",
         4,
         Dtype::fp16,
         short_in,
         short_out,
         20000,
         2,
         0,
         {term(tpot, mean, 0.025), term(ttft, p95, 1.0)}},
        {"llama-13b",
         "a100-40gb-sxm-8",
         "vllm-v1",
         1,
         Dtype::fp16,
         short_in,
         short_out,
         20000,
         2,
         0,
         {term(tpot, mean, 0.2), term(ttft, p95, 8.0)}},
        {"llama-13b", "a40-48gb-pcie-8", "tgi-lightllm-2023", 2, Dtype::fp16, chat_in, chat_out, 10000, 2, 0,
         documents},
        {"llama-13b", "a30-24gb-pcie-8", "tgi-lightllm-2023", 4, Dtype::fp16, chat_in, chat_out, 10000, 2, 0,
         documents},
        {"llama-2-70b", "a100-40gb-sxm-8", "tgi-lightllm-2023", 8, Dtype::fp16, chat_in, chat_out, 10000, 2, 0,
         documents},
        {"llama-2-70b",
         "v100-32gb-sxm2-8",
         "tgi-lightllm-2023",
         8,
         Dtype::fp16,
         "lognormal:mean=666,cv=0.6,max=2000",
         "lognormal:mean=220,cv=1,max=512",
         2000,
         2,
         0,
         {term(ttft, mean, 3.15), term(tpot, mean, 0.15)}},
        {"llama-3.1-8b",
         "rtx4090-24gb-pcie-1",
         "vllm-v1",
         1,
         Dtype::bf16,
         api_in,
         api_out,
         0,
         0,
         60,
         {term(ttft, p95, 1.0), term(tpot, p95, 0.05)}},
        {"llama-3.1-70b",
         "h100-80gb-sxm-8",
         "vllm-v1",
         4,
         Dtype::bf16,
         api_in,
         api_out,
         0,
         0,
         90,
         {term(ttft, p95, 1.0), term(tpot, p95, 0.05)}},
        {"llama-3.1-70b",
         "h200-141gb-sxm-8",
         "sglang",
         2,
         Dtype::fp8,
         api_in,
         api_out,
         5000,
         10,
         0,
         {term(ttft, p95, 1.5), term(tpot, p95, 0.06)}},
        {"gpt-oss-120b",
         "h100-80gb-sxm-8",
         "vllm-v1",
         1,
         Dtype::mxfp4,
         api_in,
         api_out,
         3000,
         10,
         0,
         {term(ttft, p95, 1.5), term(tpot, mean, 0.05)}},
        {"llama-2-7b",
         "a10-24gb-pcie-4",
         "tgi-3",
         1,
         Dtype::fp16,
         "lognormal:mean=500,cv=0.8,max=2048",
         "lognormal:mean=150,cv=0.8,max=1024",
         1000,
         5,
         0,
         {term(ttft, mean, 1.5), term(tpot, mean, 0.08)}},
        {"qwen2.5-32b",
         "mi300x-192gb-oam-8",
         "vllm-v1",
         1,
         Dtype::bf16,
         api_in,
         api_out,
         4000,
         15,
         0,
         {term(ttft, p95, 1.0), term(tpot, mean, 0.04)}},
    };
}

Scenario scenario_of(const Row& row) {
    Catalog& catalog = testing::library();
    Scenario scenario;
    scenario.models = {&catalog.models.at(row.model, "test")};
    scenario.nodes = {&catalog.nodes.at(row.node, "test")};
    scenario.engines = {&catalog.engines.at(row.engine, "test")};
    scenario.weights = {row.weights};
    scenario.tensor_parallel = {row.tensor};
    scenario.workload.prompt = Distribution::parse_tokens(row.prompt, "test");
    scenario.workload.output = Distribution::parse_tokens(row.output, "test");
    if (row.users > 0) {
        scenario.load.registered_users = row.users;
        scenario.load.think_time = Distribution::uniform(0.5 * row.think, 1.5 * row.think);
    } else {
        scenario.load.kind = Load::Kind::open;
        scenario.load.rate = PerSecond(row.rate);
    }
    scenario.slo.terms = row.promises;
    scenario.cost.amortization = Seconds(1e8);
    return scenario;
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

struct Coverage {
    Hits users, nodes, ttft_p50, ttft_p95, tpot_mean, tpot_p95;
    int kept = 0;
};

Coverage count(const Scenario& scenario, const Candidate& candidate) {
    const Architecture architecture(*scenario.models[0]);
    const Deployment& d = candidate.deployment;
    const StepCost nominal(architecture, d);
    const ByCause<double> spread = deviations(d);
    const bool closed = scenario.load.kind == Load::Kind::closed;
    const Seconds think(closed ? scenario.load.think_time.mean() : HUGE_VAL);
    const double share = demand_of(scenario) / (candidate.nodes_needed * d.instances_per_node);
    const Uncertainty& stated = *candidate.uncertainty;
    Coverage result;
    for (const std::vector<double>& normal : normal_draws(cause_count + 1)) {
        ByCause<double> z;
        std::copy_n(normal.begin(), cause_count, z.values.begin());
        const MemoryBudget memory =
            with_more_kv(candidate.memory, *d.engine, candidate.memory.deviation * normal.back());
        const StepCost cost(nominal, d, TimeFactors(spread, z));
        const InstanceModel model(cost, d, memory, scenario.workload, think);
        Forecaster forecaster(model);
        const double carried = closed ? most_users_within(forecaster, think, scenario.slo, demand_of(scenario))
                                      : highest_rate_within(forecaster, scenario.slo).value();
        const Forecast there =
            closed ? forecaster.closed(static_cast<std::size_t>(std::ceil(share - 1e-9)), think, Detail::percentiles)
                   : forecaster.open(PerSecond(share), Detail::percentiles);
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
        result.kept += !there.overloaded && there.latencies.worst_ratio(scenario.slo) <= 1.0 + 1e-9;
    }
    return result;
}

}  // namespace

TEST_CASE("80 % intervals hold 80 % of what draws of all constants come to, and promises are kept as often as stated") {
    std::string table =
        "inside, %: users, nodes (without and with draws on the ends), TTFT p50, p95, TPOT mean, p95; kept, stated\n";
    std::vector<std::pair<std::string, Coverage>> rows;
    double ttft_sum = 0;
    std::vector<double> stated;
    for (const Row& row : questions()) {
        const Scenario scenario = scenario_of(row);
        const Plan planned = plan(scenario, testing::library());
        INFO(row.model << " on " << row.node << ": " << planned.answers[0].reason);
        REQUIRE(planned.answers[0].best);
        const Candidate& candidate = *planned.answers[0].best;
        REQUIRE(candidate.uncertainty->beyond_measured.empty());
        const Coverage found = count(scenario, candidate);
        stated.push_back(candidate.uncertainty->promise_probability);
        rows.emplace_back(std::string(row.model) + ", " + row.node + ", " + row.engine, found);
        const auto percent = [](double value) { return 100.0 * value; };
        char line[200];
        std::snprintf(line, sizeof line, "%5.1f-%5.1f %5.1f-%5.1f %5.1f %5.1f %5.1f %5.1f  %5.1f %5.1f  ",
                      percent(found.users.inside().low), percent(found.users.inside().high),
                      percent(found.nodes.inside().low), percent(found.nodes.inside().high),
                      percent(found.ttft_p50.inside().high), percent(found.ttft_p95.inside().high),
                      percent(found.tpot_mean.inside().high), percent(found.tpot_p95.inside().high),
                      percent(static_cast<double>(found.kept) / draws), percent(stated.back()));
        table += line + rows.back().first + "\n";
        ttft_sum += found.ttft_p95.inside().high;
    }
    CAPTURE(table);
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const Coverage& found = rows[i].second;
        CAPTURE(rows[i].first);
        // On GPT-OSS the cache is full to 99 % and the constant of the experts 30 % unsure: TTFT p95 climbs from 0.1 to
        // 6 s within its interval, steeper than three points tell, so that the interval is too wide.
        const bool steep = rows[i].first.rfind("gpt-oss", 0) == 0;
        for (const Hits* hits : {&found.ttft_p50, &found.ttft_p95, &found.tpot_mean, &found.tpot_p95}) {
            CHECK(hits->inside().high > 0.76);
            CHECK(hits->inside().high < (steep && hits == &found.ttft_p95 ? 0.88 : 0.84));
        }
        for (const Hits* hits : {&found.users, &found.nodes}) {
            CHECK(hits->inside().low < 0.84);
            CHECK(hits->inside().high > 0.76);
        }
        CHECK(std::abs(static_cast<double>(found.kept) / draws - stated[i]) < 0.05);
    }
    CHECK(std::abs(ttft_sum / static_cast<double>(rows.size()) - 0.8) < 0.02);
}
