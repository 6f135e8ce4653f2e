#pragma once
#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <vector>

#include "model/cost/launch_overlap.hpp"
#include "model/cost/memory.hpp"
#include "model/cost/octave_table.hpp"
#include "model/cost/parallelism.hpp"
#include "model/cost/roofline.hpp"
#include "model/cost/speculation.hpp"

namespace plimsoll {

/// The time of a step by what limits it, for naming the binding constraint; a pipeline's stages summed.
struct StepParts {
    Seconds compute, weights_read, kv_read, communication, launch;
    Seconds host_serial;    ///< scheduling and sampling on the host, added
    Seconds host_launches;  ///< launching kernels, hidden under the GPU where it is faster
    Seconds total;
};

/// How long a prefill alone keeps the sequences that decode from their next token. In a pipeline of `stages` batches
/// the others decode before and behind it, at its pace: of a round of all of them it takes one batch's place.
[[nodiscard]] inline Seconds prefill_stall(Seconds prefill, Seconds decode, int stages) {
    if (stages == 1) return prefill;
    return std::max(prefill, decode) - decode * (1.0 - 1.0 / stages);
}

/// The time of an engine step of one deployment, folded once into coefficients: O(1) a step, and affine in the context
/// between two breakpoints. A pipeline of s stages works on s batches in turn: the running batch is divided by s, and a
/// token takes s stage times. Fewer than s sequences leave bubbles: each is a batch of its own. Prompts come into the
/// batches as chance has it, and all of them go at the pace of the fullest: batches go round one behind the other, so
/// that the stages before and behind a slow one have nothing to do (bubbles; Sarathi-Serve, arXiv 2403.02310, section
/// 3.3). A step takes s times what the fullest batch takes in a stage. Groups of ranks with requests of their own
/// divide a batch likewise, in step with the fullest.
///
/// step = overlap(GPU, host launches) + serial host time;
/// Where a draft speculates, a step is the time in which every running sequence advances by one token in the mean: a
/// pass that checks k + 1 tokens of each, after k passes of the draft, over the tokens that are expected of it. Prompts
/// cost what they add to that pass, and a pass of the draft.
///
/// GPU = table(tokens) + own part's tables(tokens, rows, decodes) + prefill attention + decode attention (b, context).
class StepCost {
  public:
    /// `factors`: another draw of what the constants may be.
    StepCost(const Architecture& architecture, const Deployment& deployment, const TimeFactors& factors = {});
    /// Another draw of the constants of the same deployment, without evaluating its kernels again.
    StepCost(const StepCost& other, const Deployment& deployment, const TimeFactors& factors);
    /// Logarithms of the times of two steps under such a draw from their operators, without the work of a fold.
    [[nodiscard]] std::array<double, 2> logarithms(const Deployment& deployment, const TimeFactors& factors,
                                                   const std::array<StepShape, 2>& shapes) const;

    /// Time from one token to the next of all running sequences.
    [[nodiscard]] Seconds step(const StepShape& shape) const;
    /// The same where the time of the prompts' attention in a stage is known.
    [[nodiscard]] Seconds step(const StepShape& shape, Seconds prefill_attention) const;
    /// Attention of a step's prompts in one stage.
    [[nodiscard]] Seconds prefill_attention(const StepShape& shape) const;
    [[nodiscard]] Seconds decode(double sequences, double context_tokens) const {
        return step({.decode_sequences = sequences, .context_tokens = context_tokens});
    }
    /// Time until a prefill alone on the GPUs has given its first tokens.
    [[nodiscard]] Seconds prefill(double prompts, double tokens, double pairs) const {
        return step({.prefill_sequences = prompts, .prefill_tokens = tokens, .attention_pairs = pairs});
    }
    /// The next context, in tokens read by `sequences` decodes, at which the slope of the step time changes: where the
    /// GPU hides more or less of the host, or where a window of the attention is full. Infinite when there is none
    /// above `context_tokens`.
    [[nodiscard]] double next_breakpoint(double sequences, double context_tokens) const;

    /// The same step operator by operator, by limits.
    [[nodiscard]] StepParts parts(const StepShape& shape) const;

    [[nodiscard]] const KernelTimes& kernels() const { return kernels_; }
    [[nodiscard]] Origin origin() const { return kernels_.origin(); }
    [[nodiscard]] int stages() const { return stages_; }
    /// Operators of one stage for a step, for explaining; they sum to the folded time at the table's points.
    void operators(const StepShape& shape, std::vector<Operator>& operators) const;
    [[nodiscard]] Seconds host_serial(const StepShape& shape) const;
    [[nodiscard]] Seconds host_launches(const StepShape& shape) const;
    /// What a client waits for each request beside the engine's steps: its way to them and that of its tokens back.
    [[nodiscard]] Seconds front_end() const { return front_end_; }
    [[nodiscard]] const LaunchOverlap& overlap() const { return overlap_; }

  private:
    StepCost(const Architecture& architecture, const Deployment& deployment, const TimeFactors& factors,
             KernelTimes kernels);
    /// A kernel at one point of one table.
    struct Tabulated {
        Follows follows;
        std::size_t point;
        double count;
        KernelTimes::Nominal kernel;
    };
    /// One pass of the model over a step, its own host time included or not.
    [[nodiscard]] Seconds pass(const StepShape& shape, Seconds prefill_attention) const;
    [[nodiscard]] Seconds pass_without_host(const StepShape& shape, Seconds prefill_attention) const;
    [[nodiscard]] double pass_breakpoint(const StepShape& shape) const;
    [[nodiscard]] StepParts pass_parts(const StepShape& shape) const;
    /// The shape with as many tokens of each decode as are checked at once.
    [[nodiscard]] StepShape checked(StepShape shape) const;
    /// What the draft takes beside such a pass: one of its own over the prompts, `tokens` over the decodes.
    [[nodiscard]] Seconds drafting(const StepShape& shape) const;
    [[nodiscard]] Seconds stage_gpu(const StepShape& shape, Seconds prefill_attention) const;
    /// What the fullest batch of the pipeline has of a step.
    [[nodiscard]] StepShape per_stage(const StepShape& shape) const;
    [[nodiscard]] double fullest_prompts(const StepShape& shape) const;
    [[nodiscard]] std::vector<Tabulated> tabulated() const;
    void fold();
    struct DecodeLine;
    [[nodiscard]] DecodeLine decode_line(std::size_t group) const;

    struct Drafting;
    const Architecture* architecture_;
    std::shared_ptr<const Drafting> draft_;  ///< null without speculation
    int queries_ = 1;                        ///< tokens of each decode that a pass checks
    double advance_ = 1;                     ///< tokens that it adds to a sequence in the mean
    Split split_;
    Storage storage_;
    KernelTimes kernels_;
    LaunchOverlap overlap_;
    int stages_;
    int batches_;  ///< that are in the pipeline at the same time: static ones pass it one after the other, whole
    double batch_tokens_;  ///< at the most
    double chance_;        ///< mean of the largest of as many normal numbers as stages, over the root of the stages
    int graph_batch_;
    bool chunked_;
    Seconds per_step_, per_sequence_, per_prefill_, per_request_, front_end_, launches_;
    std::shared_ptr<const std::vector<Tabulated>> tabulated_;
    [[nodiscard]] OctaveTable& table_of(Follows follows);
    OctaveTable by_tokens_{0, 16};  ///< with what follows the own tokens where these are all
    OctaveTable by_own_tokens_{0, 16}, by_own_rows_{0, 16}, by_own_decodes_{0, 16};
    /// Decode attention of one kind of layer: affine in the sequences and in the context that it sees.
    struct DecodeLine {
        double launch = 0, per_sequence = 0, per_context = 0;
        double window = std::numeric_limits<double>::infinity();  ///< tokens of a sequence
    };
    std::vector<DecodeLine> decode_;
};

}  // namespace plimsoll
