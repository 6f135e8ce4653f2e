#pragma once
#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/base/csv.hpp"
#include "model/spec/catalog.hpp"
#include "model/spec/scenario.hpp"

namespace plimsoll {

/// What a table of measurements does not say and a prediction needs.
struct ValidationAssumptions {
    std::string engine = "tgi-lightllm-2023";
    std::string node;  ///< empty: the node of the row's GPU, memory and link with the fewest GPUs that has room
    Dtype weights = Dtype::fp16;
    ProfileChoice profiles;
    Distribution think_time = Distribution::uniform(1.0, 3.0);  ///< seconds
    bool steady_state = false;                                  ///< otherwise a run that drains a shared queue
    int requests = documents_queue;                             ///< of the shared queue, at least twice the users
    Seconds ramp = Seconds(1.0);                                ///< over which the users start
    bool search_users = true;                                   ///< whether the most users are looked for
    std::optional<double> prompt_scale;                         ///< overrides the workload's printed_prompt_scale
    std::string scheduler;                  ///< the simulator's rule that the engine ran; empty: the engine's own
    std::optional<int> max_waiting_tokens;  ///< where no rule says otherwise
    bool tpot_over_tokens = false;          ///< TPOT was decode time over all tokens, not over those after the first

    /// What was different in some of the measurement campaigns; the first rule that fits a row counts.
    struct Rule {
        std::vector<std::string> models;  ///< names or aliases; empty: any
        std::string load;                 ///< empty: any
        std::string workload;             ///< library workload for the shape of the lengths; empty: the row's `load`
        std::optional<int> max_waiting_tokens;
        std::optional<int> reserved_output_tokens;
        std::optional<Distribution> think_time;  ///< seconds
        std::optional<int> requests;             ///< of the shared queue, at least twice the users
        std::string reason;
    };
    std::vector<Rule> rules;
};

/// Reads a file of assumptions (`plimsoll/assumptions/1`, documented in scenarios/README.md); throws InputError
/// for a name that the catalog does not have.
[[nodiscard]] ValidationAssumptions read_assumptions(const Fields& fields, Catalog& catalog);

/// The file, or the entry of that name in scenarios/library/assumptions of the last data directory that has it.
[[nodiscard]] ValidationAssumptions assumptions_named(const std::string& name_or_file, Catalog& catalog);

/// The judged columns, in the order of `ValidationRow::values`.
inline constexpr std::array<std::string_view, 4> validated_columns{"ttft", "tpot", "users", "request_rate"};

/// One measured value beside its prediction.
struct ValidatedValue {
    std::optional<double> measured, predicted;
    std::string not_judged;  ///< why the pair does not count, where both are there
    /// predicted / measured - 1, where the pair counts.
    [[nodiscard]] std::optional<double> error() const;
};

struct ValidationRow {
    std::string place;  ///< file:line
    std::string model, gpu, node;
    int tensor_parallel = 0;
    std::string load;
    int requests = 0;     ///< of the queue that the row's users drained; 0: their number is not known
    std::string skipped;  ///< why nothing is predicted; empty otherwise
    std::array<ValidatedValue, validated_columns.size()> values;
};

/// Absolute relative errors of one column; the baseline predicts each row by the geometric mean of all other rows of
/// the same GPU (of all rows where the GPU has one row alone).
struct ValidationSummary {
    int n = 0;
    double median_ape = 0, p90_ape = 0, bias = 0;  ///< bias: mean of the signed errors
    double baseline_median_ape = 0;
    int within_factor_two = 0;
};

struct Validation {
    std::vector<ValidationRow> rows;
    std::array<ValidationSummary, validated_columns.size()> summary;
    std::map<std::string, std::array<ValidationSummary, validated_columns.size()>> by_gpu;
    std::vector<std::string> assumptions;
    [[nodiscard]] int skipped() const;
};

/// The columns that a table of measurements must have.
[[nodiscard]] std::vector<std::string> validated_table_columns();

/// Predicts every row of a table with the columns model, gpu, gpu_mem_gb, link, tp, load, prompt_tokens, output_tokens,
/// users, ttft_s, tpot_s, request_rate_per_s, and requests of the run's queue where it is there (others are ignored):
/// TTFT, TPOT and request rate at the row's users, and the most users at which its own TTFT and TPOT hold. Throws
/// InputError for a table without these columns.
[[nodiscard]] Validation validate(const Csv& table, const ValidationAssumptions& assumptions, Catalog& catalog);

}  // namespace plimsoll
