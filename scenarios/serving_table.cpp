#include "scenarios/serving_table.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "model/base/error.hpp"

namespace plimsoll {
namespace {

constexpr std::size_t fewest_rows = 5;
/// No server that anybody would measure is slower; milliseconds written as seconds are.
constexpr double longest_ttft = 600.0, longest_tpot = 5.0;

double positive(const Csv& table, std::size_t row, const std::string& column, double most) {
    const auto value = table.number(row, column);
    const std::string place = table.place(row) + " " + column;
    if (!value) throw InputError(place, "a fit needs it");
    if (!std::isfinite(*value) || *value <= 0)
        throw InputError(place, "expected a number above 0, not '" + table.text(row, column) + "'");
    if (*value > most)
        throw InputError(place,
                         "'" + table.text(row, column) + "' s is no latency of a server: are these milliseconds?");
    return *value;
}

/// What tells one measured run from another.
std::string key_of(const Csv& table, std::size_t row) {
    std::string key;
    for (const char* column : {"model", "gpu", "gpu_mem_gb", "link", "tp", "load", "users"})
        key += table.text(row, column) + '\n';
    return key;
}

}  // namespace

ServingTable read_serving_table(const Csv& table, const ValidationAssumptions& assumptions, Catalog& catalog) {
    table.require(validated_table_columns());
    ServingTable result;
    std::map<std::string, std::string> seen;
    for (std::size_t i = 0; i < table.rows(); ++i) {
        const std::string place = table.place(i);
        if (const auto [at, is_new] = seen.emplace(key_of(table, i), place); !is_new)
            throw InputError(place, "the same run as " + at->second);
        ServingTableRow row{.index = i,
                            .place = place,
                            .campaign = table.text(i, "model") + " " + table.text(i, "load"),
                            .ttft = positive(table, i, "ttft_s", longest_ttft),
                            .tpot = positive(table, i, "tpot_s", longest_tpot),
                            .users = static_cast<int>(positive(table, i, "users", 1e6)),
                            .measured = measured_row(table, i, assumptions, catalog)};
        std::string problem = row.measured.problem;
        if (problem.empty()) problem = RowPredictor(row.measured.deployment, row.measured, assumptions).problem();
        if (!problem.empty()) {
            result.skipped.push_back(place + ": " + problem);
            continue;
        }
        if (std::ranges::find(result.campaigns, row.campaign) == result.campaigns.end())
            result.campaigns.push_back(row.campaign);
        result.rows.push_back(std::move(row));
    }
    if (result.rows.size() < fewest_rows)
        throw InputError(table.name(), std::to_string(result.rows.size()) + " rows can be predicted; a fit needs " +
                                           std::to_string(fewest_rows) +
                                           (result.skipped.empty() ? "" : " (" + result.skipped.front() + ")"));
    return result;
}

}  // namespace plimsoll
