#include "model/cost/step_cost.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace plimsoll {
namespace {

bool is_attention(const Operator& op) {
    return op.kind == OperatorKind::prefill_attention || op.kind == OperatorKind::decode_attention;
}

}  // namespace

double StepCost::Table::at(int index) {
    return std::ldexp(1.0 + (index % 4) / 4.0, index / 4);
}

double StepCost::Table::operator()(double x) const {
    if (x <= 0.0) return 0.0;
    int exponent = 0;
    const double mantissa = std::frexp(x, &exponent) * 2.0;  // in [1, 2)
    const int octave = exponent - 1;
    const double quarters = (mantissa - 1.0) * 4.0;
    int index = octave * 4 + static_cast<int>(quarters);
    double share = quarters - std::floor(quarters);
    if (index < 0 || index > points - 2) {
        index = index < 0 ? 0 : points - 2;
        share = (x - at(index)) / (at(index + 1) - at(index));
    }
    return values[index] + share * (values[index + 1] - values[index]);
}

StepCost::StepCost(const Architecture& architecture, const Deployment& deployment, const TimeFactors& factors)
    : architecture_(&architecture),
      split_{.tensor = deployment.tensor_parallel, .pipeline = deployment.pipeline_parallel},
      storage_{deployment.weights, deployment.kv},
      kernels_(deployment, factors),
      stages_(deployment.pipeline_parallel),
      graph_batch_(deployment.engine->host.graph_batch),
      chunked_(deployment.engine->scheduling == Scheduling::chunked) {
    const Engine::Host& host = deployment.engine->host;
    const double slow = factors[Cause::host_speed] / deployment.node->host_speed.value;
    per_step_ = host.per_step.value * (factors[Cause::host_step] * slow);
    per_sequence_ = host.per_sequence.value * (factors[Cause::host_sequence] * slow);
    per_prefill_ = host.per_prefill.value * (factors[Cause::host_prefill] * slow);
    per_request_ = host.per_request.value * (factors[Cause::host_request] * slow);
    launches_ = host.per_layer.value * (architecture.layers_per_stage(split_) * factors[Cause::host_layer] * slow);
    fold(architecture);
}

void StepCost::fold(const Architecture& architecture) {
    std::vector<Operator> operators;
    for (int i = 0; i < Table::points; ++i) {
        const double x = Table::at(i);
        step_operators(architecture, {.decode_sequences = x, .context_tokens = x}, split_, storage_, operators);
        for (const Operator& op : operators) {
            if (is_attention(op)) continue;
            (op.by_rows ? by_rows_ : by_tokens_).values[i] += op.count * kernels_.time(op).value();
        }
    }
    // Decode attention is affine in (sequences, context): three evaluations give its coefficients.
    const auto decode_time = [&](double sequences, double context) {
        step_operators(architecture, {.decode_sequences = sequences, .context_tokens = context}, split_, storage_,
                       operators);
        for (const Operator& op : operators)
            if (op.kind == OperatorKind::decode_attention) return op.count * kernels_.time(op).value();
        return 0.0;
    };
    constexpr double far = 1048576.0;
    const double here = decode_time(1.0, far);
    decode_per_context_ = (decode_time(1.0, 2.0 * far) - here) / far;
    decode_per_sequence_ = decode_time(2.0, far) - here;
    decode_launch_ = here - decode_per_sequence_ - decode_per_context_ * far;
}

StepShape StepCost::per_stage(const StepShape& shape) const {
    const double stages = stages_;
    return {.prefill_sequences = shape.prefill_sequences,
            .prefill_tokens = shape.prefill_tokens,
            .attention_pairs = shape.attention_pairs,
            .decode_sequences = shape.decode_sequences / stages,
            .context_tokens = shape.context_tokens / stages};
}

Seconds StepCost::stage_gpu(const StepShape& shape) const {
    double time = by_tokens_(shape.tokens()) + by_rows_(shape.rows());
    if (shape.decode_sequences > 0)
        time +=
            decode_launch_ + decode_per_sequence_ * shape.decode_sequences + decode_per_context_ * shape.context_tokens;
    if (shape.prefill_tokens > 0) {
        const Operator op = architecture_->prefill_attention(shape, split_, storage_);
        time += op.count * kernels_.time(op).value();
    }
    return Seconds(time);
}

Seconds StepCost::host_serial(const StepShape& shape) const {
    Seconds time = per_step_ + per_sequence_ * shape.rows() + per_request_ * shape.prefill_sequences;
    if (shape.prefill_tokens > 0) time += per_prefill_;
    return time;
}

Seconds StepCost::host_launches(const StepShape& shape) const {
    const bool graph = per_stage(shape).tokens() <= graph_batch_ && (chunked_ || shape.prefill_tokens <= 0);
    return graph ? Seconds(0) : launches_ * static_cast<double>(stages_);
}

Seconds StepCost::step(const StepShape& shape) const {
    const Seconds gpu = stage_gpu(per_stage(shape)) * static_cast<double>(stages_);
    return std::max(gpu, host_launches(shape)) + host_serial(shape);
}

double StepCost::next_breakpoint(double sequences, double context_tokens) const {
    const StepShape shape{.decode_sequences = sequences, .context_tokens = context_tokens};
    const double slack = (host_launches(shape) - stage_gpu(per_stage(shape)) * static_cast<double>(stages_)).value();
    if (slack <= 0 || decode_per_context_ <= 0) return std::numeric_limits<double>::infinity();
    return context_tokens + slack / decode_per_context_;
}

void StepCost::operators(const StepShape& shape, std::vector<Operator>& operators) const {
    step_operators(*architecture_, per_stage(shape), split_, storage_, operators);
}

StepParts StepCost::parts(const StepShape& shape) const {
    std::vector<Operator> list;
    operators(shape, list);
    StepParts parts;
    for (const Operator& op : list) {
        const Seconds time = kernels_.time(op) * (op.count * stages_);
        switch (kernels_.bound(op)) {
            case Bound::compute:
                parts.compute += time;
                break;
            case Bound::communication:
                parts.communication += time;
                break;
            case Bound::launch:
                parts.launch += time;
                break;
            case Bound::memory:
                (op.kind == OperatorKind::decode_attention ? parts.kv_read : parts.weights_read) += time;
                break;
        }
    }
    parts.host_serial = host_serial(shape);
    parts.host_launches = host_launches(shape);
    parts.total = step(shape);
    return parts;
}

}  // namespace plimsoll
