#include "scenarios/step_row.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "model/base/error.hpp"

namespace plimsoll {
namespace {

/// No step or batch takes longer than an hour, s; milliseconds written as seconds often do.
constexpr double longest = 3600;
/// No batch has more sequences and no sequence more tokens; a typing error would be simulated for days.
constexpr double most_sequences = 1e5, most_tokens = 1e8;

double number(const Csv& table, std::size_t row, const std::string& column, double least, double most = most_tokens) {
    const auto value = table.number(row, column);
    const std::string place = table.place(row) + " " + column;
    if (!value) throw InputError(place, "is empty; a number is needed");
    if (!std::isfinite(*value) || *value < least || *value > most)
        throw InputError(place, "'" + table.text(row, column) + "' is out of range");
    return *value;
}

std::string text_or_empty(const Csv& table, std::size_t row, const std::string& column) {
    return table.has(column) ? table.text(row, column) : std::string();
}

/// The sizes that a phase is of.
std::vector<std::string> sizes_of(StepPhase phase) {
    switch (phase) {
        case StepPhase::prefill:
            return {"batch", "prompt_tokens"};
        case StepPhase::decode:
            return {"batch", "context_tokens"};
        case StepPhase::mixed:
            return {"batch", "prompt_tokens", "output_tokens"};
    }
    return {};
}

/// Why the row tells nothing, if so: a cell that it needs is empty, or one of its author's doubts. The link and the
/// remarks need not be known.
std::string unusable(const Csv& table, std::size_t row, StepPhase phase) {
    std::vector<std::string> needed = sizes_of(phase);
    needed.emplace_back("seconds");
    for (const std::string& column : needed)
        if (text_or_empty(table, row, column).empty()) return "no " + column;
    for (const char* column : {"model", "weights_dtype", "gpu", "gpu_mem_gb", "tp", "pp"}) needed.emplace_back(column);
    for (const std::string& column : needed)
        if (const std::string cell = text_or_empty(table, row, column); is_doubted(cell))
            return "the table doubts its " + column + ", '" + cell + "'";
    return {};
}

void read_time(StepRow& row, const Csv& table, std::size_t i) {
    row.measured = number(table, i, "seconds", 0);
    row.deviation = number_or(table, i, "deviation_s", 0);
    if (row.measured <= 0) throw InputError(row.place + " seconds", "must be above zero");
    if (row.measured > longest)
        throw InputError(row.place + " seconds",
                         "'" + table.text(i, "seconds") + "' s is no time of a step: is it in milliseconds?");
}

}  // namespace

int ranks_or_one(const Csv& table, std::size_t row, const std::string& column) {
    if (!table.number(row, column)) return 1;
    const double ranks = number(table, row, column, 1, 1024);
    if (ranks != std::floor(ranks))
        throw InputError(table.place(row) + " " + column,
                         "expected a whole number, not '" + table.text(row, column) + "'");
    return static_cast<int>(ranks);
}

double number_or(const Csv& table, std::size_t row, const std::string& column, double fallback) {
    return table.number(row, column) ? number(table, row, column, 0) : fallback;
}

StepRow read_step_row(const Csv& table, std::size_t i) {
    StepRow row{.place = table.place(i),
                .model = table.text(i, "model"),
                .gpu = table.text(i, "gpu"),
                .weights = table.text(i, "weights_dtype"),
                .source = text_or_empty(table, i, "source"),
                .engine = text_or_empty(table, i, "engine")};
    const std::string& phase = table.text(i, "phase");
    const auto found = std::find(step_phases.begin(), step_phases.end(), phase);
    if (found == step_phases.end()) {
        row.skipped = "the phase '" + phase + "' is none of prefill, decode, mixed";
        return row;
    }
    row.phase = static_cast<StepPhase>(found - step_phases.begin());
    row.skipped = unusable(table, i, row.phase);
    if (!row.skipped.empty()) return row;
    row.batch = number(table, i, "batch", 1, most_sequences);
    if (row.phase != StepPhase::decode) row.prompt = number(table, i, "prompt_tokens", 1);
    if (row.phase == StepPhase::mixed) row.output = number(table, i, "output_tokens", 1);
    if (row.phase == StepPhase::prefill) row.context = number_or(table, i, "context_tokens", 0);
    if (row.phase == StepPhase::decode) row.context = number(table, i, "context_tokens", 1);
    if (row.phase == StepPhase::decode && number_or(table, i, "prompt_tokens", 0) > row.context)
        throw InputError(row.place + " context_tokens", "'" + table.text(i, "context_tokens") +
                                                            "' are fewer than the prompt's '" +
                                                            table.text(i, "prompt_tokens") + "'");
    read_time(row, table, i);
    return row;
}

}  // namespace plimsoll
