#pragma once
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "model/spec/catalog.hpp"
#include "scenarios/error_summary.hpp"
#include "scenarios/step_row.hpp"

namespace plimsoll {

/// What a table of whole steps does not say and a prediction needs.
struct StepAssumptions {
    std::string engine;            ///< whose host costs, limits and rules count; empty: the kernels alone
    std::string node;              ///< empty: the largest of the row's GPU
    std::optional<Dtype> weights;  ///< instead of the row's
    ProfileChoice profiles;
};

/// Rows of one source, engine, GPU and phase.
struct StepGroup {
    std::string source, engine, gpu;
    StepPhase phase = StepPhase::prefill;
    ErrorSummary errors;
};

struct StepValidation {
    std::vector<StepRow> rows;
    std::array<ErrorSummary, step_phases.size()> summary;  ///< by `step_phases`
    std::vector<StepGroup> groups;                         ///< in order of their names
    std::vector<std::string> assumptions;
};

/// Predicts each row of a table of whole steps: columns model, weights_dtype, gpu, phase, batch, prompt_tokens,
/// context_tokens, seconds, and where there are some output_tokens, tp, pp, gpu_mem_gb, link, chunk_tokens, gpu_layers,
/// deviation_s, source, engine (docs/calibrate.md). A whole batch arrives at an idle engine at once, and is simulated
/// by the engine's own rules: in waves, where its cache does not hold all of it. Throws InputError for a table without
/// these columns, for cells that `read_step_row` refuses, and where not one row can be predicted.
[[nodiscard]] StepValidation validate_steps(const Csv& table, const StepAssumptions& assumptions, Catalog& catalog);

}  // namespace plimsoll
