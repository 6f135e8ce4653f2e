#pragma once
#include "model/cost/causes.hpp"
#include "model/cost/collective.hpp"
#include "model/cost/work.hpp"
#include "model/spec/deployment.hpp"

namespace plimsoll {

/// What limits an operator.
enum class Bound { launch, compute, memory, communication };
[[nodiscard]] std::string_view to_string(Bound bound);

/// Times of kernels on one GPU from its peaks and its efficiency constants. P: dense peak of the arithmetic type,
/// W: memory bandwidth, pnorm(a, b) = (a^p + b^p)^(1/p): the smooth knee between two limits.
///
/// GEMM: t = t0 + pnorm(flop / (P ec), bytes / (W em)); 4-bit weights add `dequantization` x flop.
/// Prefill attention: t = t0 + tb b + pnorm(flop / (P e) (1 + k0 / kv) (1 + q0 / q + SM / (b heads max(1, q / 128))),
///   bytes / (W em)), e = ec (head_dim / 128)^g, q and kv no less than 32 in the losses q0 / q and k0 / kv; flop counts
///   half a tile of 128 beyond the diagonal.
/// Decode attention: t = t0 + tb b + query and output bytes / (W em) + pnorm(KV bytes / (W em), padded flop / (P ec)),
///   padded by max(1, g0 / group): affine in batch and context.
/// Elementwise: t = t0 + bytes / (W em).
/// The forms and their residuals on measured kernels stand with the constants in hardware_db/classes.
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
    struct Parts {
        Seconds launch, compute, memory;
        double sharpness = 1.0;
        [[nodiscard]] Seconds total() const;
    };
    [[nodiscard]] Parts parts(const Operator& op) const;
    [[nodiscard]] Parts gemm_parts(const Operator& op) const;
    [[nodiscard]] Parts prefill_parts(const Operator& op) const;
    [[nodiscard]] Parts decode_parts(const Operator& op) const;
    [[nodiscard]] FlopPerSecond peak(const Operator& op) const;
    [[nodiscard]] Seconds communication(const Operator& op) const;

    const Gpu* gpu_;
    const EfficiencyClass* constants_;
    TimeFactors factors_;
    double kernel_efficiency_;
    CollectiveTimes collectives_;
    CollectiveTimes point_to_point_;
    Origin origin_;
};

}  // namespace plimsoll
