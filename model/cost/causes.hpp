#pragma once
#include <array>
#include <cstddef>
#include <vector>

#include "model/cost/work.hpp"
#include "model/spec/deployment.hpp"

namespace plimsoll {

class KernelTimes;

/// Why the times of a step may all be off together. The causes are independent of each other.
enum class Cause {
    gemm_compute,
    gemm_memory,
    prefill_attention,
    decode_attention,
    experts,
    elementwise,
    kernel_launch,
    engine_kernels,  ///< the engine's kernels against those of the constants
    links,
    host_step,
    host_sequence,
    host_prefill,
    host_request,
    host_layer,
    host_speed,
    host_front_end
};
inline constexpr std::size_t cause_count = 16;

/// A number for each cause.
template <class T>
struct ByCause {
    std::array<T, cause_count> values{};
    [[nodiscard]] constexpr T& operator[](Cause cause) { return values[static_cast<std::size_t>(cause)]; }
    [[nodiscard]] constexpr const T& operator[](Cause cause) const { return values[static_cast<std::size_t>(cause)]; }
};

/// What the times under each cause are multiplied by.
class TimeFactors {
  public:
    /// All 1: the constants are what they say.
    TimeFactors() { factors_.values.fill(1.0); }
    /// exp(d z) under each cause, d the deviation of the logarithm and z the standard normal number that was drawn. The
    /// constants are the medians: fits are robust in the logarithm, and half of the draws lie on either side of the
    /// forecast.
    TimeFactors(const ByCause<double>& deviations, const ByCause<double>& z);
    [[nodiscard]] double operator[](Cause cause) const { return factors_[cause]; }

  private:
    ByCause<double> factors_;
};

/// Standard deviation of the logarithm of the times under each cause: those that the constants of a deployment state,
/// the residuals of its measured kernels with the spread of libraries and GPUs, and for what states none the spread
/// that is known of its kind.
[[nodiscard]] ByCause<double> deviations(const Deployment& deployment);
/// The same where operators are of sizes that no measurement covers: wider by a tenth for each factor of two beyond,
/// mean over their time (estimated; nothing tells how fast a form goes wrong outside its points).
[[nodiscard]] ByCause<double> deviations(const Deployment& deployment, const std::vector<Operator>& operators,
                                         const KernelTimes& kernels);

}  // namespace plimsoll
