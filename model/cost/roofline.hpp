#pragma once
#include "model/cost/causes.hpp"
#include "model/cost/collective.hpp"
#include "model/cost/kernel_form.hpp"
#include "model/cost/work.hpp"
#include "model/spec/deployment.hpp"

namespace plimsoll {

/// What limits an operator.
enum class Bound { launch, compute, memory, communication };
[[nodiscard]] std::string_view to_string(Bound bound);

/// Times of kernels on one GPU: the forms of model/cost/forms with the GPU's peaks and its class's constants. The
/// residuals of the forms on measured kernels stand with the constants in hardware_db/classes.
class KernelTimes {
  public:
    explicit KernelTimes(const Deployment& deployment, const TimeFactors& factors = {});

    /// Time of one occurrence of any operator.
    [[nodiscard]] Seconds time(const Operator& op) const;
    /// The largest part of that time.
    [[nodiscard]] Bound bound(const Operator& op) const;

    [[nodiscard]] const CollectiveTimes& collectives() const { return collectives_; }
    /// The weakest origin among the constants.
    [[nodiscard]] Origin origin() const { return origin_; }

  private:
    [[nodiscard]] KernelParts parts(const Operator& op) const;
    [[nodiscard]] GpuPeaks peaks(const Operator& op) const;
    [[nodiscard]] Seconds communication(const Operator& op) const;

    const Gpu* gpu_;
    const EfficiencyClass* constants_;
    TimeFactors factors_;
    double kernel_efficiency_;
    const KernelForm *gemm_, *prefill_, *decode_, *elementwise_;
    CollectiveTimes collectives_;
    CollectiveTimes point_to_point_;
    Origin origin_;
};

}  // namespace plimsoll
