#include "model/cost/roofline.hpp"

#include <algorithm>
#include <cmath>

#include "model/base/error.hpp"
#include "model/cost/kernel_choice.hpp"
#include "model/cost/kernel_memo.hpp"

namespace plimsoll {
namespace {

/// What a multiprocessor gets from L2 in a clock, bytes. Fitted: decodes whose heads read apart, of Mistral-7B (four
/// heads on a pair of keys and values), Llama-2-70B (eight) and Falcon-180B (29) on TensorRT-LLM 0.6 to 0.11, read 3.3
/// to 4.6 TB/s on A100, 26 B at 108 x 1.41 GHz in the middle (docs/published_steps.md); estimated for other GPUs.
constexpr double l2_bytes_per_clock = 26;

Origin weakest_origin(const Deployment& deployment, const CollectiveTimes& collectives,
                      const CollectiveTimes& point_to_point) {
    const Engine& engine = *deployment.engine;
    Origin origin = weakest(deployment.gpu->memory_bandwidth.origin,
                            weakest(deployment.gpu->peak_of(arithmetic_dtype(deployment.weights)).origin,
                                    deployment.node->host_speed.origin));
    for (const OperatorKind kind : {OperatorKind::gemm, OperatorKind::prefill_attention, OperatorKind::decode_attention,
                                    OperatorKind::elementwise})
        origin = weakest(origin, kernel_origin(deployment, kind));
    if (deployment.model->has_experts()) origin = weakest(origin, experts_origin(deployment));
    for (const Origin other :
         {engine.host.per_step.origin, engine.host.per_layer.origin, engine.host.per_sequence.origin,
          engine.host.per_prefill.origin, engine.host.per_request.origin, engine.host.front_end.origin,
          engine.kernel_efficiency.origin})
        origin = weakest(origin, other);
    if (is_expanded(deployment.weights)) origin = weakest(origin, deployment.efficiency->dequantization.origin);
    if (deployment.gpus_per_instance() > 1) origin = weakest(origin, engine.collective_overhead.origin);
    if (deployment.tensor_parallel > 1) origin = weakest(origin, collectives.origin());
    return deployment.pipeline_parallel > 1 ? weakest(origin, point_to_point.origin()) : origin;
}

/// How many ranks' curve stands for the way from one stage to the next: that of two GPUs, but where NVLink bridges join
/// pairs only and there are more GPUs, stages are not all joined by a bridge.
int ranks_between_stages(const Deployment& deployment) {
    if (deployment.pipeline_parallel == 1) return 1;
    const int ranks = deployment.node->nvlink == NvlinkKind::bridge ? std::max(2, deployment.gpus_per_host()) : 2;
    return std::min(ranks, deployment.node->gpus);
}

const MeasuredKernel* measured_all_reduce(const Deployment& deployment) {
    return deployment.measured ? &deployment.measured->all_reduce : nullptr;
}

/// Collectives among other ranks than all of a stage: those of an attention group, and those that share contexts.
std::vector<CollectiveTimes> among_groups(const Deployment& deployment) {
    const Split split = split_of(deployment);
    std::vector<CollectiveTimes> result;
    for (const int ranks : {split.attention_ranks(), split.context})
        if (ranks > 1 && ranks != split.tensor)
            result.emplace_back(*deployment.node, ranks, deployment.engine->collective_overhead.value,
                                measured_all_reduce(deployment), deployment.engine->peer_all_reduce);
    return result;
}

}  // namespace

std::string_view to_string(Bound bound) {
    constexpr std::string_view names[] = {"launch", "compute", "memory", "communication"};
    return names[static_cast<std::size_t>(bound)];
}

KernelTimes::KernelTimes(const Deployment& deployment, const TimeFactors& factors)
    : gpu_(deployment.gpu),
      efficiency_(deployment.efficiency),
      factors_(factors),
      kernel_efficiency_(deployment.engine->kernel_efficiency.value),
      score_bytes_(deployment.engine->score_bytes.value),
      heads_read_apart_(deployment.engine->heads_read_apart),
      half_sums_(deployment.engine->half_sums && deployment.gpu->half_sum_peak.has_value()),
      padded_rows_(deployment.engine->host.graph_batch),
      collectives_(*deployment.node, deployment.tensor_parallel, deployment.engine->collective_overhead.value,
                   measured_all_reduce(deployment), deployment.engine->peer_all_reduce),
      of_groups_(among_groups(deployment)),
      point_to_point_(*deployment.node, ranks_between_stages(deployment), deployment.engine->collective_overhead.value,
                      measured_all_reduce(deployment)),
      origin_(weakest_origin(deployment, collectives_, point_to_point_)) {
    if (const Split split = split_of(deployment); split.dispatches()) {
        exchange_.emplace(*deployment.node, split.expert, deployment.engine->collective_overhead.value,
                          deployment.measured ? &deployment.measured->all_to_all : nullptr);
        origin_ = weakest(origin_, exchange_->origin());
    }
    if (deployment.hosts_per_instance > 1) {
        between_hosts_ = CollectiveTimes::across_hosts(*deployment.node, deployment.tensor_parallel, point_to_point_);
        origin_ = weakest(origin_, between_hosts_->origin());
    }
    const EfficiencyClass& c = *deployment.efficiency;
    const auto& p = c.prefill_attention;
    const auto& d = c.decode_attention;
    const auto of_class = [&](OperatorKind kind, const char* form, std::vector<double> values) {
        kinds_[static_cast<std::size_t>(kind)].of_class = {kernel_forms().find(form), std::move(values), "", nullptr};
    };
    of_class(OperatorKind::gemm, "gemm",
             {c.gemm.compute_efficiency.value, c.gemm.memory_efficiency.value, c.gemm.launch.value.value(),
              c.gemm.sharpness.value, c.dequantization.value});
    of_class(
        OperatorKind::prefill_attention, "attention_prefill",
        {p.compute_efficiency.value, p.memory_efficiency.value, p.launch.value.value(), p.per_sequence.value.value(),
         p.query_half.value, p.context_half.value, p.head_dim_exponent.value, p.sharpness.value});
    of_class(OperatorKind::decode_attention, "attention_decode",
             {d.memory_efficiency.value, d.compute_efficiency.value, d.launch.value.value(),
              d.per_sequence.value.value(), d.group_pad.value, d.sharpness.value});
    of_class(OperatorKind::elementwise, "elementwise",
             {c.elementwise.memory_efficiency.value, c.elementwise.launch.value.value()});
    if (!deployment.measured) return;
    memo_ = deployment.measured->memo.get();
    measure(kinds_[static_cast<std::size_t>(OperatorKind::gemm)], deployment.measured->gemm);
    measure(kinds_[static_cast<std::size_t>(OperatorKind::prefill_attention)], deployment.measured->prefill_attention);
    measure(kinds_[static_cast<std::size_t>(OperatorKind::decode_attention)], deployment.measured->decode_attention);
    measure(kinds_[static_cast<std::size_t>(OperatorKind::elementwise)], deployment.measured->elementwise);
    measure(experts_, deployment.measured->experts);
}

void KernelTimes::measure(Kind& kind, const MeasuredKernel& kernel) {
    for (const KernelModel* model : kernel.models) {
        Constants constants{kernel_forms().find(model->form), {}, model->path, &model->learner};
        PLIMSOLL_ASSERT(constants.form != nullptr);
        for (const FittedConstant& constant : model->constants) constants.values.push_back(constant.value);
        kind.paths.push_back(std::move(constants));
    }
    std::stable_partition(kind.paths.begin(), kind.paths.end(), [](const Constants& c) { return c.path.empty(); });
}

const KernelTimes::Constants& KernelTimes::Kind::of(std::string_view path) const {
    for (const Constants& constants : paths)
        if (constants.path == path) return constants;
    return paths.front();
}

GpuPeaks KernelTimes::peaks(const Operator& op) const {
    GpuPeaks peaks = peaks_of(*gpu_, op.arithmetic);
    if (half_sums_ && op.arithmetic == Dtype::fp16) peaks.arithmetic = gpu_->half_sum_peak->value;
    // Who builds a deployment has refused the types that the GPU does not multiply.
    PLIMSOLL_ASSERT(op.kind == OperatorKind::elementwise || peaks.arithmetic > FlopPerSecond(0));
    return peaks;
}

KernelParts KernelTimes::evaluate(const Constants& constants, const Operator& op) const {
    return constants.form->time(op, peaks(op), constants.values);
}

/// With what the learner adds.
KernelParts KernelTimes::corrected(const Constants& constants, const Operator& op) const {
    KernelParts parts = evaluate(constants, op);
    if (constants.learner == nullptr || constants.learner->weights.empty()) return parts;
    const double factor = std::exp(log_correction(*constants.form, *constants.learner, op, peaks(op)));
    return parts * factor;
}

/// The products of the experts were measured as one kernel with what lies between them: each takes its share of the
/// weights, and what lies between takes nothing more.
KernelParts KernelTimes::of_experts(const Operator& op) const {
    if (op.kind == OperatorKind::elementwise) return {};
    return corrected(experts_.paths.front(), op) * (op.n * op.k / op.ffn.weights_of_one());
}

/// What attention that is not fused takes beside its products: the scores of all pairs, masked ones too, go to memory
/// and come back for the softmax and for the values.
Seconds KernelTimes::scores(const Operator& op) const {
    const double query = op.m / op.sequences, keys = op.pairs / op.m + (query - 1.0) / 2.0;
    const BytesPerSecond memory = gpu_->memory_bandwidth.value * efficiency_->elementwise.memory_efficiency.value;
    return score_bytes_ * (op.heads * op.m * keys) / memory;
}

/// Decode attention of which memory is read once and L2 once for each query head.
Seconds KernelTimes::reads_apart(const Operator& op) const {
    const BytesPerSecond l2(l2_bytes_per_clock * gpu_->multiprocessors * gpu_->multiprocessor_clock.value());
    return op.work.bytes_read * (op.heads / op.kv_heads) / l2;
}

/// A measured product over the ways in which rows come.
KernelParts KernelTimes::product(const Operator& op) const {
    const Kind& kind = kind_of(op);
    const auto corrected = [&](const Operator& rows) {
        return this->corrected(kind.of(kind.paths.front().form->path(rows)), op);
    };
    if (op.m <= 1.0 || kind.paths.size() == 1) return corrected(op);
    Operator even = op, odd = op;
    even.m = 8.0 * std::ceil(op.m / 8.0);
    odd.m = even.m + 1.0;
    KernelParts parts = corrected(even);
    if (op.m <= padded_rows_) return parts;
    const KernelParts others = corrected(odd);
    const auto mix = [](Seconds one, Seconds seven) { return one / 8.0 + seven * (7.0 / 8.0); };
    return {mix(parts.launch, others.launch), mix(parts.compute, others.compute), mix(parts.memory, others.memory),
            others.sharpness};
}

KernelParts KernelTimes::kernel(const Operator& op) const {
    const Kind& kind = kind_of(op);
    if (op.experts > 0 && !experts_.paths.empty()) return of_experts(op);
    // Grouped products are other kernels than the single ones that were measured.
    if (kind.paths.empty() || (op.experts > 0 && op.kind == OperatorKind::gemm)) return evaluate(kind.of_class, op);
    if (op.kind != OperatorKind::gemm) return evaluate(kind.of(kind.paths.front().form->path(op)), op);
    const KernelMemo::Key key{
        op.m, op.n, op.k, op.arithmetic, op.expanded_weights, op.m <= padded_rows_, peaks(op).arithmetic};
    if (const auto known = memo_->find(key)) return *known;
    const KernelParts parts = product(op);
    memo_->keep(key, parts);
    return parts;
}

KernelTimes::Nominal KernelTimes::nominal(const Operator& op) const {
    KernelParts parts =
        is_communication(op.kind) ? KernelParts{.launch = communication(op), .compute = {}, .memory = {}} : kernel(op);
    if (op.kind == OperatorKind::prefill_attention && score_bytes_ > Bytes(0)) parts.memory += scores(op);
    if (op.kind == OperatorKind::decode_attention && heads_read_apart_ && op.kv_heads < op.heads)
        parts.memory = std::max(parts.memory, reads_apart(op));
    return {op.kind, op.experts > 0, parts};
}

KernelParts KernelTimes::drawn(const Nominal& nominal) const {
    KernelParts parts = nominal.parts;
    const auto scale = [&](double compute, double memory) {
        parts.launch *= factors_[Cause::kernel_launch], parts.compute *= compute, parts.memory *= memory;
        parts.streamed *= memory;
        return parts;
    };
    const double engine = factors_[Cause::engine_kernels] / kernel_efficiency_;
    switch (nominal.kind) {
        case OperatorKind::gemm:
            if (nominal.experts) return scale(factors_[Cause::experts] * engine, factors_[Cause::experts]);
            return scale(factors_[Cause::gemm_compute] * engine, factors_[Cause::gemm_memory]);
        case OperatorKind::prefill_attention:
            return scale(factors_[Cause::prefill_attention] * engine, factors_[Cause::prefill_attention]);
        case OperatorKind::decode_attention:
            return scale(factors_[Cause::decode_attention], factors_[Cause::decode_attention]);
        case OperatorKind::elementwise:
            return scale(1.0, factors_[Cause::elementwise]);
        default:
            parts.launch *= factors_[Cause::links];
            return parts;
    }
}

KernelTimes KernelTimes::with(const TimeFactors& factors) const {
    KernelTimes result = *this;
    result.factors_ = factors;
    return result;
}

Seconds KernelTimes::communication(const Operator& op) const {
    if (op.kind == OperatorKind::send_recv)
        return (op.hosts > 1 ? *between_hosts_ : point_to_point_).send_recv(op.work.message);
    if (op.kind == OperatorKind::all_to_all) return exchange_->all_to_all(op.work.message);
    const CollectiveTimes& times = among(op.ranks);
    if (op.kind == OperatorKind::all_reduce) return times.all_reduce(op.work.message);
    if (op.kind == OperatorKind::reduce_scatter) return times.reduce_scatter(op.work.message);
    return times.all_gather(op.work.message);
}

const CollectiveTimes& KernelTimes::among(int ranks) const {
    for (const CollectiveTimes& times : of_groups_)
        if (times.ranks() == ranks) return times;
    return collectives_;
}

Bound KernelTimes::bound(const Operator& op) const {
    if (is_communication(op.kind)) return Bound::communication;
    const KernelParts p = drawn(nominal(op));
    const Seconds memory = p.memory + p.streamed;
    if (p.launch > std::max(p.compute, memory)) return Bound::launch;
    return p.compute > memory ? Bound::compute : Bound::memory;
}

}  // namespace plimsoll
