#include "scenarios/protocols.hpp"

#include <algorithm>
#include <cmath>

namespace plimsoll {
namespace {

/// Positions of protocol_columns among validated_columns.
constexpr std::array<std::size_t, 3> positions{0, 1, 3};
constexpr std::size_t request_rate = 2;

/// The printed token rate of a row with printed lengths counts output tokens: with both rates printed it is the
/// request rate times the output length.
void take_rate_from_tokens(ProtocolRow& row, const Csv& table, std::size_t i) {
    const auto tokens = table.number(i, "token_rate_printed"), output = table.number(i, "output_tokens");
    if (row.values[request_rate].measured || !tokens || !output || *output <= 0) return;
    row.values[request_rate].measured = *tokens / *output;
    row.rate_from_tokens = true;
}

ProtocolSummary summarize(const std::vector<ProtocolRow>& rows, std::size_t column) {
    ProtocolSummary summary;
    std::vector<double> drain, steady;
    for (const ProtocolRow& row : rows) {
        const auto a = row.values[column].drain_error(), b = row.values[column].steady_error();
        if (!a || !b) continue;
        drain.push_back(*a);
        steady.push_back(*b);
        if (std::abs(*a) < std::abs(*b)) ++summary.drain_nearer;
    }
    summary.drain = summary_of(drain);
    summary.steady = summary_of(steady);
    return summary;
}

/// Geometric mean over rows of a protocol's value against the other's, less one.
double drain_over_steady(const std::vector<ProtocolRow>& rows, std::size_t column) {
    double sum = 0, n = 0;
    for (const ProtocolRow& row : rows) {
        const ProtocolValue& value = row.values[column];
        if (!value.drain || !value.steady) continue;
        sum += std::log(*value.drain / *value.steady);
        n += 1;
    }
    return n > 0 ? std::expm1(sum / n) : 0.0;
}

std::string percent(double share) {
    return std::to_string(std::lround(100.0 * share)) + " %";
}
std::string against(double change) {
    if (std::abs(change) < 0.02) return "about the same as";
    return percent(std::abs(change)) + (change < 0 ? " less than" : " more than");
}

std::vector<std::string> explain(const ProtocolComparison& comparison) {
    if (comparison.rows.empty()) return {"no row of the table has printed lengths: nothing to compare"};
    double wave = 0;
    for (const ProtocolRow& row : comparison.rows) wave += static_cast<double>(row.users) / row.requests;
    wave /= static_cast<double>(comparison.rows.size());
    const auto& s = comparison.summary;
    const auto nearer = [&](std::size_t column) {
        return "the short run is nearer in " + std::to_string(s[column].drain_nearer) + " of " +
               std::to_string(s[column].drain.n) + " rows, " + percent(s[column].drain.median) +
               " off in the median against " + percent(s[column].steady.median);
    };
    return {"TTFT of the short run is " + against(drain_over_steady(comparison.rows, 0)) +
                " in steady state: " + percent(wave) +
                " of its requests are the first wave, which comes within the ramp and waits for its own prefills, and "
                "as many are answered in an emptying engine; " +
                nearer(0),
            "TPOT of the short run is " + against(drain_over_steady(comparison.rows, 1)) +
                " in steady state: the first wave meets the prefills of all others, the last requests none; " +
                nearer(1),
            "The request rate of the short run is " + against(drain_over_steady(comparison.rows, 2)) +
                " in steady state: its time includes the ramp and the longest answers of the tail; " + nearer(2)};
}

}  // namespace

ProtocolComparison compare_protocols(const Csv& table, const ValidationAssumptions& assumptions, Catalog& catalog) {
    ValidationAssumptions both = assumptions;
    both.search_users = false;
    both.steady_state = false;
    const Validation drain = validate(table, both, catalog);
    both.steady_state = true;
    const Validation steady = validate(table, both, catalog);
    ProtocolComparison result;
    for (std::size_t i = 0; i < drain.rows.size(); ++i) {
        const ValidationRow& from = drain.rows[i];
        const auto& users = from.values[2].measured;
        const bool inferred = table.has("lengths_inferred") && table.text(i, "lengths_inferred") != "no";
        if (!from.skipped.empty() || inferred || !users) continue;
        ProtocolRow& row = result.rows.emplace_back();
        row.place = from.place;
        row.model = from.model;
        row.gpu = from.gpu;
        row.tensor_parallel = from.tensor_parallel;
        row.load = from.load;
        row.users = static_cast<int>(*users);
        row.requests = from.requests;
        for (std::size_t c = 0; c < positions.size(); ++c) {
            const ValidatedValue& value = from.values[positions[c]];
            row.values[c] = {.measured = value.not_judged.empty() ? value.measured : std::nullopt,
                             .drain = value.predicted,
                             .steady = steady.rows[i].values[positions[c]].predicted};
        }
        if (table.has("token_rate_printed")) take_rate_from_tokens(row, table, i);
    }
    for (std::size_t c = 0; c < positions.size(); ++c) result.summary[c] = summarize(result.rows, c);
    result.explained = explain(result);
    return result;
}

}  // namespace plimsoll
