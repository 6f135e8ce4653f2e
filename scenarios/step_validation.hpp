#pragma once
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/base/csv.hpp"
#include "model/spec/catalog.hpp"
#include "scenarios/error_summary.hpp"

namespace plimsoll {

/// What a table of whole steps does not say and a prediction needs.
struct StepAssumptions {
    std::string engine;            ///< whose host costs are added; empty: the kernels alone
    std::string node;              ///< empty: the largest of the row's GPU
    std::optional<Dtype> weights;  ///< instead of the row's
    ProfileChoice profiles;
};

/// A measured prefill or decode step beside its prediction.
struct StepRow {
    std::string place, model, gpu, weights = {};
    bool prefill = false;
    double batch = 0, prompt = 0, context = 0;  ///< sequences; tokens of each
    double measured = 0, deviation = 0;         ///< s; deviation 0: not said
    double predicted = 0;                       ///< s
    std::string skipped = {};                   ///< why nothing is predicted; empty otherwise
    [[nodiscard]] double error() const { return predicted / measured - 1.0; }
};

inline constexpr std::array<std::string_view, 2> step_phases{"prefill", "decode"};

struct StepValidation {
    std::vector<StepRow> rows;
    std::array<ErrorSummary, step_phases.size()> summary;  ///< by `step_phases`
    std::vector<std::string> assumptions;
};

/// Predicts each row of a table of whole steps: columns model, weights_dtype, gpu, phase, batch, prompt_tokens,
/// context_tokens, seconds, and where there are some tp, gpu_mem_gb, link, chunk_tokens, gpu_layers, deviation_s
/// (docs/calibrate.md). Throws InputError for a table without them and for cells that are no such numbers.
[[nodiscard]] StepValidation validate_steps(const Csv& table, const StepAssumptions& assumptions, Catalog& catalog);

}  // namespace plimsoll
