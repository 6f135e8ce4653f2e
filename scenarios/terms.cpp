#include "scenarios/terms.hpp"

#include <fmt/format.h>

#include "model/base/units_text.hpp"

namespace plimsoll {
namespace {

constexpr Range some_nodes{1e-6, 1e9};
constexpr Range latency{1e-6, 1e6};

/// The limit of a term, or null where the SLO has none.
const Seconds* limit_of(const Slo& slo, Metric metric, Statistic statistic) {
    for (const SloTerm& term : slo.terms)
        if (term.metric == metric && term.statistic == statistic) return &term.limit;
    return nullptr;
}

std::string key_of(const SloTerm& term) {
    return fmt::format("{}_{}", to_string(term.metric), to_string(term.statistic));
}

/// Throws when `loose` can never be what breaks, because `tight` promises more.
void refuse_pointless(const Fields& slo, const SloTerm& loose, const SloTerm& tight, std::string_view why) {
    slo.fail(key_of(loose), fmt::format("'{}' of {} contradicts '{}' of {}: {}", key_of(loose), to_text(loose.limit),
                                        key_of(tight), to_text(tight.limit), why));
}

void refuse_contradictions(const Fields& fields, const Slo& slo) {
    for (const SloTerm& a : slo.terms)
        for (const SloTerm& b : slo.terms) {
            const bool percentiles = a.statistic != Statistic::mean && b.statistic != Statistic::mean;
            if (a.metric == b.metric && percentiles && a.statistic < b.statistic && a.limit > b.limit)
                refuse_pointless(fields, a, b, "the higher percentile is never below the lower one");
        }
    for (const SloTerm& ttft : slo.terms) {
        if (ttft.metric != Metric::ttft) continue;
        if (const Seconds* limit = limit_of(slo, Metric::e2e, ttft.statistic); limit && !(*limit > ttft.limit))
            refuse_pointless(fields, ttft, {Metric::e2e, ttft.statistic, *limit},
                             "a request ends no sooner than its first token");
    }
}

}  // namespace

Distribution read_tokens(const Fields& fields, std::string_view key) {
    const std::string text =
        fields.is_number(key) ? fmt::format("{}", fields.number(key, {1, 1e9})) : fields.string(key);
    return Distribution::parse_tokens(text, fields.place(key));
}

Workload read_lengths(const Fields& scenario, Catalog& catalog, const std::optional<Workload>& fallback) {
    Workload result;
    const bool prompt = given(scenario, "prompt_tokens"), output = given(scenario, "output_tokens");
    if (given(scenario, "workload"))
        result = catalog.workloads.at(scenario.string("workload"), scenario.place("workload"));
    else if (prompt && output)
        result.name = "custom";
    else if (fallback)
        result = *fallback;
    else
        scenario.fail("", "the field 'workload' is missing, or both 'prompt_tokens' and 'output_tokens'");
    if (prompt) result.prompt = read_tokens(scenario, "prompt_tokens");
    if (output) result.output = read_tokens(scenario, "output_tokens");
    return result;
}

Slo read_slo(const Fields& fields) {
    Slo slo;
    for (std::size_t m = 0; m < metric_names.size(); ++m)
        for (std::size_t s = 0; s < statistic_names.size(); ++s) {
            const std::string key = fmt::format("{}_{}", metric_names[m], statistic_names[s]);
            if (given(fields, key))
                slo.terms.push_back(
                    {static_cast<Metric>(m), static_cast<Statistic>(s), fields.quantity<Seconds>(key, latency)});
        }
    fields.finish();
    if (slo.terms.empty()) fields.fail("", "expected at least one promise, such as \"ttft_p95\": \"3 s\"");
    refuse_contradictions(fields, slo);
    return slo;
}

CostTerms read_cost(const Fields& cost, Assumptions& assumptions) {
    CostTerms result;
    result.rented = assumptions.source(cost, "cost.mode").choice("mode", {"own", "rent"}) == 1;
    result.pue = assumptions.source(cost, "cost.pue").number("pue", {1, 5});
    const auto unused = [&](std::string_view key) {
        if (given(cost, key))
            assumptions.note(
                fmt::format("cost.{} is given but not used: cost.mode is {}", key, result.rented ? "rent" : "own"));
    };
    // The terms of the other mode are checked all the same.
    if (result.rented) {
        unused("amortization");
        unused("tariff");
    } else {
        unused("rental_per_gpu");
    }
    const auto read = [&]<class Q>(std::string_view key, Range range, Q& into) {
        const Fields source = result.rented ? cost : assumptions.source(cost, fmt::format("cost.{}", key));
        if (given(source, key)) into = source.quantity<Q>(key, range);
    };
    read("amortization", {86400, 1e9}, result.amortization);
    read("tariff", {0, 1e-5}, result.tariff);
    if (given(cost, "rental_per_gpu")) {
        const auto rental = cost.quantity<DollarsPerSecond>("rental_per_gpu", {0, 1});
        if (result.rented) result.rental_per_gpu = rental;
    }
    cost.finish();
    return result;
}

MeasuredValue read_measured(const Fields& entry, Catalog& catalog) {
    MeasuredValue result;
    result.model = &catalog.models.at(entry.string("model"), entry.place("model"));
    result.node = &catalog.nodes.at(entry.string("node"), entry.place("node"));
    const auto count = [&](std::string_view key) {
        return given(entry, key) ? static_cast<int>(entry.integer(key, {1, 1024})) : 0;
    };
    result.tensor_parallel = count("tensor_parallel");
    result.instances_per_node = count("instances_per_node");
    const auto number = [&](std::string_view key, std::optional<double>& into) {
        if (given(entry, key)) into = entry.number(key, some_nodes);
    };
    number("nodes", result.nodes);
    number("users_per_node", result.users_per_node);
    number("users_per_instance", result.users_per_instance);
    if (given(entry, "ttft_mean")) result.ttft_mean = entry.quantity<Seconds>("ttft_mean", latency);
    if (given(entry, "tpot_mean")) result.tpot_mean = entry.quantity<Seconds>("tpot_mean", latency);
    result.source = entry.string("source");
    entry.finish();
    if (!result.nodes && !result.users_per_node && !result.users_per_instance && !result.ttft_mean && !result.tpot_mean)
        entry.fail("", "expected a value: 'nodes', 'users_per_node', 'users_per_instance', 'ttft_mean' or 'tpot_mean'");
    return result;
}

}  // namespace plimsoll
