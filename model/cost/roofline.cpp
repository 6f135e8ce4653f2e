#include "model/cost/roofline.hpp"

#include <algorithm>
#include <cmath>

#include "model/base/error.hpp"

namespace plimsoll {
namespace {

constexpr double fewest_tile_rows = 32.0;

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
    if (is_expanded(deployment.weights)) origin = weakest(origin, c.dequantization.origin);
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

KernelTimes::KernelTimes(const Deployment& deployment)
    : gpu_(deployment.gpu),
      constants_(deployment.efficiency),
      kernel_efficiency_(deployment.engine->kernel_efficiency.value),
      collectives_(*deployment.node, deployment.tensor_parallel, deployment.engine->collective_overhead.value),
      point_to_point_(*deployment.node, ranks_between_stages(deployment), deployment.engine->collective_overhead.value),
      origin_(weakest_origin(deployment, collectives_, point_to_point_)) {}

Seconds KernelTimes::Parts::total() const {
    const double a = compute.value(), b = memory.value();
    const double larger = std::max(a, b), smaller = std::min(a, b);
    if (smaller <= 0.0) return launch + Seconds(larger);
    return launch + Seconds(larger * std::pow(1.0 + std::pow(smaller / larger, sharpness), 1.0 / sharpness));
}

FlopPerSecond KernelTimes::peak(const Operator& op) const {
    // Who builds a deployment has refused the types that the GPU does not multiply.
    const FlopPerSecond peak = gpu_->peak_of(op.arithmetic).value;
    PLIMSOLL_ASSERT(peak > FlopPerSecond(0));
    return peak;
}

KernelTimes::Parts KernelTimes::gemm_parts(const Operator& op) const {
    const auto& c = constants_->gemm;
    const double extra = op.expanded_weights ? 1.0 + constants_->dequantization.value : 1.0;
    return {.launch = c.launch.value,
            .compute = op.work.flop * extra / (peak(op) * (c.compute_efficiency.value * kernel_efficiency_)),
            .memory = (op.work.bytes_read + op.work.bytes_written) /
                      (gpu_->memory_bandwidth.value * c.memory_efficiency.value),
            .sharpness = c.sharpness.value};
}

KernelTimes::Parts KernelTimes::prefill_parts(const Operator& op) const {
    const auto& c = constants_->prefill_attention;
    // A query at position i of its chunk sees past + i keys, so that the mean falls short of the last one's by half.
    const double query = op.m / op.sequences, context = op.pairs / op.m + (query - 1.0) / 2.0;
    const double efficiency =
        c.compute_efficiency.value * kernel_efficiency_ * std::pow(op.head_dim / 128.0, c.head_dim_exponent.value);
    // Not rounded up: a longer prompt would be faster wherever it fills one more of the idle multiprocessors.
    const double tiles = op.sequences * op.heads * std::max(1.0, query / 128.0);
    // What is lost on short queries and contexts is no more than on the fewest rows that a tile can have; without the
    // limit the time would rise again towards a single token.
    const double loss = (1.0 + c.context_half.value / std::max(context, fewest_tile_rows)) *
                        (1.0 + c.query_half.value / std::max(query, fewest_tile_rows) + gpu_->multiprocessors / tiles);
    // A tile on the diagonal computes 128 x 128 pairs for 128 x 129 / 2 that count: 63.5 a query in vain.
    const double diagonal = 1.0 + op.m * 63.5 / op.pairs;
    return {.launch = c.launch.value + c.per_sequence.value * op.sequences,
            .compute = op.work.flop * diagonal * loss / (peak(op) * std::min(1.0, efficiency)),
            .memory = (op.work.bytes_read + op.work.bytes_written) /
                      (gpu_->memory_bandwidth.value * c.memory_efficiency.value),
            .sharpness = c.sharpness.value};
}

KernelTimes::Parts KernelTimes::decode_parts(const Operator& op) const {
    const auto& c = constants_->decode_attention;
    const double padding = std::max(1.0, c.group_pad.value / (op.heads / op.kv_heads));
    const BytesPerSecond bandwidth = gpu_->memory_bandwidth.value * c.memory_efficiency.value;
    // Queries are read as outputs are written; what remains is the cache. Only work in proportion to the context may
    // stand under the knee, or the time would not be affine in it.
    const Bytes queries_and_outputs = op.work.bytes_written * 2.0;
    const Bytes cache = op.work.bytes_read - op.work.bytes_written;
    return {.launch = c.launch.value + c.per_sequence.value * op.sequences + queries_and_outputs / bandwidth,
            .compute = op.work.flop * padding / (peak(op) * c.compute_efficiency.value),
            .memory = cache / bandwidth,
            .sharpness = c.sharpness.value};
}

KernelTimes::Parts KernelTimes::parts(const Operator& op) const {
    switch (op.kind) {
        case OperatorKind::gemm:
            return gemm_parts(op);
        case OperatorKind::prefill_attention:
            return prefill_parts(op);
        case OperatorKind::decode_attention:
            return decode_parts(op);
        default:
            return {.launch = constants_->elementwise.launch.value,
                    .compute = Seconds(0),
                    .memory = (op.work.bytes_read + op.work.bytes_written) /
                              (gpu_->memory_bandwidth.value * constants_->elementwise.memory_efficiency.value)};
    }
}

Seconds KernelTimes::communication(const Operator& op) const {
    if (op.kind == OperatorKind::all_reduce) return collectives_.all_reduce(op.work.message);
    if (op.kind == OperatorKind::all_gather) return collectives_.all_gather(op.work.message);
    return point_to_point_.send_recv(op.work.message);
}

Seconds KernelTimes::time(const Operator& op) const {
    return is_communication(op) ? communication(op) : parts(op).total();
}

Bound KernelTimes::bound(const Operator& op) const {
    if (is_communication(op)) return Bound::communication;
    const Parts p = parts(op);
    if (p.launch > std::max(p.compute, p.memory)) return Bound::launch;
    return p.compute > p.memory ? Bound::compute : Bound::memory;
}

}  // namespace plimsoll
