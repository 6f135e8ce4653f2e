#include "model/capacity/deviation.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace plimsoll {
namespace {

/// Constants whose errors are independent of each other.
enum Cause {
    gemm_compute,
    gemm_memory,
    prefill_attention,
    decode_attention,
    elementwise,
    kernels,
    links,
    host,
    causes
};
/// Deviation of a time by cause, s; linear in the time, so that phases add up.
using Deviations = std::array<double, causes>;

/// Published collective times carry no deviation; assumed: the 10 to 20 % by which two laboratories' tables of the same
/// machine differ.
constexpr double collective_deviation = 0.15;

double relative(const Sourced<double>& constant) {
    return constant.value > 0 ? constant.standard_deviation / constant.value : 0.0;
}

void add_operator(const Operator& op, const StepCost& cost, const Deployment& d, Deviations& sum) {
    const double time = (cost.kernels().time(op) * (op.count * cost.stages())).value();
    const EfficiencyClass& efficiency = *d.efficiency;
    const Bound bound = cost.kernels().bound(op);
    if (bound == Bound::communication) {
        sum[links] += time * collective_deviation;
        return;
    }
    if (bound == Bound::launch) return;  // some microseconds, known to a sixth
    const bool compute = bound == Bound::compute;
    switch (op.kind) {
        case OperatorKind::gemm:
            sum[compute ? gemm_compute : gemm_memory] +=
                time * relative(compute ? efficiency.gemm.compute_efficiency : efficiency.gemm.memory_efficiency);
            if (compute) sum[kernels] += time * relative(d.engine->kernel_efficiency);
            break;
        case OperatorKind::prefill_attention:
            sum[prefill_attention] += time * relative(efficiency.prefill_attention.compute_efficiency);
            sum[kernels] += time * relative(d.engine->kernel_efficiency);
            break;
        case OperatorKind::decode_attention:
            sum[decode_attention] += time * relative(efficiency.decode_attention.memory_efficiency);
            break;
        default:
            sum[elementwise] += time * relative(efficiency.elementwise.memory_efficiency);
    }
}

/// Deviations of a step's time. Where the host launches more slowly than the GPU works, the GPU does not show.
Deviations of_step(const StepCost& cost, const Deployment& d, const StepShape& shape) {
    Deviations sum{};
    std::vector<Operator> operators;
    cost.operators(shape, operators);
    double gpu = 0;
    for (const Operator& op : operators) gpu += (cost.kernels().time(op) * (op.count * cost.stages())).value();
    const Engine::Host& times = d.engine->host;
    const auto of = [](const Sourced<Seconds>& c) {
        return c.value > Seconds(0) ? c.standard_deviation / c.value : 0.0;
    };
    const double speed = relative(d.node->host_speed);
    sum[host] = cost.host_serial(shape).value() * std::hypot(of(times.per_step), speed);
    const double launches = cost.host_launches(shape).value();
    if (launches > gpu)
        sum[host] += launches * std::hypot(of(times.per_layer), speed);
    else
        for (const Operator& op : operators) add_operator(op, cost, d, sum);
    return sum;
}

}  // namespace

double relative_deviation(const InstanceModel& model, double running) {
    const InstanceState state = model.at(running);
    const StepCost& cost = model.cost();
    const Deployment& d = model.deployment();
    const double decoding = std::max(1.0, state.decoding), prompt = model.workload().prompt.mean();
    const StepShape decode{.decode_sequences = decoding, .context_tokens = decoding * model.context()};
    const StepShape prefill{
        .prefill_sequences = 1.0, .prefill_tokens = prompt, .attention_pairs = causal_pairs(prompt, 0.0)};
    const Deviations of_decode = of_step(cost, d, decode), of_prefill = of_step(cost, d, prefill);
    const double in_decode = state.decode_step / state.token_interval;
    const double step = cost.step(decode).value(), own = cost.step(prefill).value();
    double squares = 0;
    for (std::size_t i = 0; i < causes; ++i)
        squares += std::pow(in_decode * of_decode[i] / step + (1.0 - in_decode) * of_prefill[i] / own, 2);
    return std::sqrt(squares);
}

}  // namespace plimsoll
