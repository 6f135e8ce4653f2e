#pragma once
#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "model/base/csv.hpp"

namespace plimsoll {

/// What a row of whole steps was timed over: prompts, one decode step, or a batch from its prompts to its last token.
enum class StepPhase { prefill, decode, mixed };
inline constexpr std::array<std::string_view, 3> step_phases{"prefill", "decode", "mixed"};

/// A measured prefill, decode step or whole batch beside its prediction.
struct StepRow {
    std::string place, model, gpu, weights = {};
    std::string source = {}, engine = {};  ///< as the table has them; empty where it has no such columns
    StepPhase phase = StepPhase::prefill;
    double batch = 0, prompt = 0, context = 0, output = 0;  ///< sequences; tokens of each
    double measured = 0, deviation = 0;                     ///< s; deviation 0: not said
    double predicted = 0;                                   ///< s
    std::string skipped = {};                               ///< why nothing is predicted; empty otherwise
    [[nodiscard]] double error() const { return predicted / measured - 1.0; }
};

/// Reads a row without resolving its names. What it does not say, or says with a question mark, makes it `skipped`;
/// throws InputError at "file:line column" for a size or time that is no positive number, for a time that no step
/// takes, and for tokens that contradict each other.
[[nodiscard]] StepRow read_step_row(const Csv& table, std::size_t row);
/// A count of ranks, one where the cell is empty or there is no such column; throws InputError for what is none.
[[nodiscard]] int ranks_or_one(const Csv& table, std::size_t row, const std::string& column);
/// The number of a cell that may be empty; throws InputError where it is negative or no number.
[[nodiscard]] double number_or(const Csv& table, std::size_t row, const std::string& column, double fallback);

}  // namespace plimsoll
