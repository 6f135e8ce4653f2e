#pragma once
#include <array>
#include <vector>

#include "model/cost/memory.hpp"
#include "model/cost/step_cost.hpp"
#include "model/spec/load.hpp"

namespace plimsoll {

/// Batches that nobody joins or leaves: an engine pads its batch to the longest prompt and works to the end of the
/// longest answer, T(k) = prefill of k longest prompts + (max of k outputs - 1) decode steps of k.
class StaticBatch {
  public:
    /// Shares of batches of one size, by the length of their longest answer; the longest are told apart finest.
    static constexpr std::array shares{0.3, 0.3, 0.2, 0.1, 0.07, 0.03};
    using ByShare = std::array<double, shares.size()>;

    /// What batches of k take, in seconds.
    struct Batch {
        double prefill = 0, prefill_variance = 0;
        double decode_step = 0;  ///< with the longest answer in mean
        double stretch = 1;      ///< tokens' times that a request counts for each of its own, mean over requests
        ByShare longest{};       ///< output tokens
        ByShare time{};          ///< T(k)
        double mean_time = 0;
    };

    StaticBatch(const StepCost& cost, const Deployment& deployment, const MemoryBudget& memory,
                const Workload& workload);

    /// Requests of a batch at the most, by the sequence limit or by what the padded prompts and answers hold; at least
    /// 1.
    [[nodiscard]] double limit() const { return sizes_.back(); }
    [[nodiscard]] bool limited_by_memory() const { return limited_by_memory_; }
    /// Interpolated; `size` counts as 1 below and as the limit above.
    [[nodiscard]] Batch of(double size) const;

    /// Answers of two tokens or more, by their length: the shortest, whose TPOT is the longest, are told apart finest.
    struct Answers {
        double share, steps;
    };
    [[nodiscard]] const std::vector<Answers>& answers() const { return answers_; }

  private:
    [[nodiscard]] double batch_in(double kv_tokens, double reserved_output, double most) const;
    [[nodiscard]] Batch evaluated(double size) const;
    void stretch(Batch& batch, double size) const;

    const StepCost* cost_;
    const Workload* workload_;
    bool limited_by_memory_ = false;
    std::vector<Answers> answers_;
    std::vector<double> sizes_;  ///< rising
    std::vector<Batch> batches_;
};

}  // namespace plimsoll
