#pragma once
#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include "model/cost/causes.hpp"
#include "model/cost/collective.hpp"
#include "model/cost/exchange.hpp"
#include "model/cost/kernel_form.hpp"
#include "model/cost/split.hpp"
#include "model/cost/work.hpp"
#include "model/spec/deployment.hpp"

namespace plimsoll {

/// What limits an operator.
enum class Bound { launch, compute, memory, communication };
[[nodiscard]] std::string_view to_string(Bound bound);

/// Times of kernels on one GPU: the forms of model/cost/forms with the GPU's peaks, the constants of its measured
/// kernels or, where there are none, of its class. The residuals of the forms stand with the constants.
///
/// A kernel that runs faster on rows in eights has constants of its own for the others. Batches and prompts come in any
/// number, so a product takes an eighth of the one time and seven of the other, unless a captured graph pads them.
class KernelTimes {
  public:
    explicit KernelTimes(const Deployment& deployment, const TimeFactors& factors = {});

    /// The same kernels under another draw of the constants.
    [[nodiscard]] KernelTimes with(const TimeFactors& factors) const;

    /// An operator as the constants are; what a message takes stands as its launch.
    struct Nominal {
        OperatorKind kind;
        bool experts;
        KernelParts parts;
    };
    [[nodiscard]] Nominal nominal(const Operator& op) const;
    /// The same as drawn.
    [[nodiscard]] KernelParts drawn(const Nominal& nominal) const;
    /// Time of one occurrence of any operator.
    [[nodiscard]] Seconds time(const Operator& op) const { return drawn(nominal(op)).total(); }
    /// The largest part of that time.
    [[nodiscard]] Bound bound(const Operator& op) const;

    [[nodiscard]] const CollectiveTimes& collectives() const { return collectives_; }
    /// The weakest origin among the constants.
    [[nodiscard]] Origin origin() const { return origin_; }

  private:
    /// The constants of a form, measured for one of its paths or those of the class.
    struct Constants {
        const KernelForm* form = nullptr;
        std::vector<double> values;
        std::string_view path;
        const ResidualLearner* learner = nullptr;
    };
    struct Kind {
        Constants of_class;
        std::vector<Constants> paths;  ///< measured, the one for all other paths first; empty: nothing is
        [[nodiscard]] const Constants& of(std::string_view path) const;
    };
    void measure(Kind& kind, const MeasuredKernel& kernel);
    [[nodiscard]] const Kind& kind_of(const Operator& op) const { return kinds_[static_cast<std::size_t>(op.kind)]; }
    [[nodiscard]] KernelParts kernel(const Operator& op) const;
    [[nodiscard]] KernelParts product(const Operator& op) const;
    [[nodiscard]] KernelParts of_experts(const Operator& op) const;
    [[nodiscard]] KernelParts corrected(const Constants& constants, const Operator& op) const;
    [[nodiscard]] KernelParts evaluate(const Constants& constants, const Operator& op) const;
    [[nodiscard]] GpuPeaks peaks(const Operator& op) const;
    [[nodiscard]] Seconds scores(const Operator& op) const;
    [[nodiscard]] Seconds reads_apart(const Operator& op) const;
    [[nodiscard]] Seconds communication(const Operator& op) const;

    const Gpu* gpu_;
    const EfficiencyClass* efficiency_;
    TimeFactors factors_;
    double kernel_efficiency_;
    Bytes score_bytes_;
    bool heads_read_apart_;
    bool half_sums_;
    double padded_rows_;         ///< up to which a graph pads the batch
    std::array<Kind, 4> kinds_;  ///< by OperatorKind
    Kind experts_;               ///< measured alone
    KernelMemo* memo_ = nullptr;
    [[nodiscard]] const CollectiveTimes& among(int ranks) const;

    CollectiveTimes collectives_;  ///< among the ranks of a stage
    std::vector<CollectiveTimes> of_groups_;
    std::optional<ExchangeTimes> exchange_;
    CollectiveTimes point_to_point_;
    std::optional<CollectiveTimes> between_hosts_;
    Origin origin_;
};

}  // namespace plimsoll
