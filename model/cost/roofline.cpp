#include "model/cost/roofline.hpp"

#include <algorithm>
#include <initializer_list>
#include <span>

#include "model/base/error.hpp"

namespace plimsoll {
namespace {

bool is_communication(const Operator& op) {
    return op.kind == OperatorKind::all_reduce || op.kind == OperatorKind::all_gather ||
           op.kind == OperatorKind::send_recv;
}

Origin weakest_origin(const Deployment& deployment, const CollectiveTimes& collectives,
                      const CollectiveTimes& point_to_point) {
    const EfficiencyClass& c = *deployment.efficiency;
    const Engine& engine = *deployment.engine;
    Origin origin = weakest(deployment.gpu->memory_bandwidth.origin,
                            weakest(deployment.gpu->peak_of(arithmetic_dtype(deployment.weights)).origin,
                                    deployment.node->host_speed.origin));
    for (const Origin other :
         {c.gemm.compute_efficiency.origin, c.gemm.memory_efficiency.origin, c.gemm.launch.origin,
          c.prefill_attention.compute_efficiency.origin, c.prefill_attention.memory_efficiency.origin,
          c.decode_attention.memory_efficiency.origin, c.decode_attention.launch.origin,
          c.elementwise.memory_efficiency.origin, c.elementwise.launch.origin, engine.host.per_step.origin,
          engine.host.per_layer.origin, engine.host.per_sequence.origin, engine.host.per_prefill.origin,
          engine.host.per_request.origin, engine.kernel_efficiency.origin})
        origin = weakest(origin, other);
    if (is_four_bit(deployment.weights)) origin = weakest(origin, c.dequantization.origin);
    if (deployment.gpus_per_instance() > 1) origin = weakest(origin, engine.collective_overhead.origin);
    if (deployment.tensor_parallel > 1) origin = weakest(origin, collectives.origin());
    return deployment.pipeline_parallel > 1 ? weakest(origin, point_to_point.origin()) : origin;
}

/// How many ranks' curve stands for the way from one stage to the next: that of two GPUs, but where NVLink bridges join
/// pairs only and there are more GPUs, stages are not all joined by a bridge.
int ranks_between_stages(const Deployment& deployment) {
    if (deployment.pipeline_parallel == 1) return 1;
    return deployment.node->nvlink == NvlinkKind::bridge ? deployment.gpus_per_instance() : 2;
}

}  // namespace

std::string_view to_string(Bound bound) {
    constexpr std::string_view names[] = {"launch", "compute", "memory", "communication"};
    return names[static_cast<std::size_t>(bound)];
}

KernelTimes::KernelTimes(const Deployment& deployment, const TimeFactors& factors)
    : gpu_(deployment.gpu),
      constants_(deployment.efficiency),
      factors_(factors),
      kernel_efficiency_(deployment.engine->kernel_efficiency.value / factors[Cause::engine_kernels]),
      gemm_(kernel_forms().find("gemm")),
      prefill_(kernel_forms().find("attention_prefill")),
      decode_(kernel_forms().find("attention_decode")),
      elementwise_(kernel_forms().find("elementwise")),
      collectives_(*deployment.node, deployment.tensor_parallel, deployment.engine->collective_overhead.value),
      point_to_point_(*deployment.node, ranks_between_stages(deployment), deployment.engine->collective_overhead.value),
      origin_(weakest_origin(deployment, collectives_, point_to_point_)) {}

GpuPeaks KernelTimes::peaks(const Operator& op) const {
    const GpuPeaks peaks = peaks_of(*gpu_, op.arithmetic);
    // Who builds a deployment has refused the types that the GPU does not multiply.
    PLIMSOLL_ASSERT(op.kind == OperatorKind::elementwise || peaks.arithmetic > FlopPerSecond(0));
    return peaks;
}

KernelParts KernelTimes::parts(const Operator& op) const {
    const EfficiencyClass& c = *constants_;
    const double start = factors_[Cause::kernel_launch];
    const auto of = [&](const KernelForm* form, double compute, double memory,
                        std::initializer_list<double> constants) {
        KernelParts parts = form->time(op, peaks(op), std::span(constants.begin(), constants.size()));
        parts.compute *= compute, parts.memory *= memory;
        return parts;
    };
    switch (op.kind) {
        case OperatorKind::gemm:
            return of(gemm_, factors_[Cause::gemm_compute], factors_[Cause::gemm_memory],
                      {c.gemm.compute_efficiency.value * kernel_efficiency_, c.gemm.memory_efficiency.value,
                       c.gemm.launch.value.value() * start, c.gemm.sharpness.value, c.dequantization.value});
        case OperatorKind::prefill_attention: {
            const auto& p = c.prefill_attention;
            const double factor = factors_[Cause::prefill_attention];
            return of(prefill_, factor, factor,
                      {p.compute_efficiency.value * kernel_efficiency_, p.memory_efficiency.value,
                       p.launch.value.value() * start, p.per_sequence.value.value() * start, p.query_half.value,
                       p.context_half.value, p.head_dim_exponent.value, p.sharpness.value});
        }
        case OperatorKind::decode_attention: {
            // Queries and outputs move at the cache's rate but stand outside the knee: the factor is the efficiency's.
            const auto& d = c.decode_attention;
            const double factor = factors_[Cause::decode_attention];
            return of(decode_, factor, 1.0,
                      {d.memory_efficiency.value / factor, d.compute_efficiency.value, d.launch.value.value() * start,
                       d.per_sequence.value.value() * start, d.group_pad.value, d.sharpness.value});
        }
        default:
            return of(elementwise_, 1.0, factors_[Cause::elementwise],
                      {c.elementwise.memory_efficiency.value, c.elementwise.launch.value.value() * start});
    }
}

Seconds KernelTimes::communication(const Operator& op) const {
    const double factor = factors_[Cause::links];
    if (op.kind == OperatorKind::all_reduce) return collectives_.all_reduce(op.work.message) * factor;
    if (op.kind == OperatorKind::all_gather) return collectives_.all_gather(op.work.message) * factor;
    return point_to_point_.send_recv(op.work.message) * factor;
}

Seconds KernelTimes::time(const Operator& op) const {
    return is_communication(op) ? communication(op) : parts(op).total();
}

Bound KernelTimes::bound(const Operator& op) const {
    if (is_communication(op)) return Bound::communication;
    const KernelParts p = parts(op);
    if (p.launch > std::max(p.compute, p.memory)) return Bound::launch;
    return p.compute > p.memory ? Bound::compute : Bound::memory;
}

}  // namespace plimsoll
