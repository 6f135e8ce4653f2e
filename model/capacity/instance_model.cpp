#include "model/capacity/instance_model.hpp"

#include <algorithm>
#include <cmath>

#include "model/base/error.hpp"

namespace plimsoll {
namespace {

/// Numbers of requests at which the mean field is solved: all up to 4, then about eight an octave, and the limit.
std::vector<double> grid_points(double limit) {
    std::vector<double> points;
    for (double n = 1.0; n < limit; n = n < 4.0 ? n + 1.0 : std::floor(n * 1.09 + 1.0)) points.push_back(n);
    points.push_back(limit);
    return points;
}

template <class Quantity>
Quantity mix(Quantity a, Quantity b, double share) {
    return a + (b - a) * share;
}

/// Tokens that a decode step reads for one sequence: p + j in the j-th of o - 1 steps, mean over steps.
double mean_context(const Workload& workload) {
    const double output = workload.output.mean();
    if (output <= 1.0) return workload.prompt.mean() + 1.0;
    return workload.prompt.mean() + (workload.output.second_moment() - output) / (2.0 * (output - 1.0));
}

}  // namespace

InstanceModel::InstanceModel(const StepCost& cost, const Deployment& deployment, const MemoryBudget& memory,
                             const Workload& workload, double time_scale)
    : cost_(&cost),
      deployment_(&deployment),
      workload_(&workload),
      time_scale_(time_scale),
      context_(mean_context(workload)),
      decode_steps_(std::max(0.0, workload.output.mean() - 1.0)),
      prefill_(cost, deployment, workload, context_, time_scale),
      rates_(std::vector<double>{1.0}, 1) {
    const double by_memory = memory.kv_tokens / kv_demand(*deployment.engine, workload).mean;
    limited_by_memory_ = by_memory < deployment.max_sequences;
    batch_limit_ = std::max(1.0, std::min<double>(by_memory, deployment.max_sequences));

    Seconds guess(0);
    for (const double n : grid_points(batch_limit_)) {
        grid_.push_back(solve(n, guess));
        guess = grid_.back().residence;
    }
    // The chain has whole levels; its last one is the batch limit itself, whole or not.
    const auto levels = static_cast<std::size_t>(std::ceil(batch_limit_));
    std::vector<double> rates(levels);
    for (std::size_t n = 1; n <= levels; ++n) rates[n - 1] = at(static_cast<double>(n)).rate().value();
    rates_ = ServiceRates(rates, levels);
}

Seconds InstanceModel::lone_prefill(double prompt) const {
    return prefill_.prefill(1.0, prompt, causal_pairs(prompt, 0.0));
}

/// What n requests would take if they stayed for `residence` each; infinite where that is too short to prefill all.
InstanceState InstanceModel::evaluate(double n, Seconds residence) const {
    const double rate = n / residence.value(), others = (n - 1.0) / n;
    PrefillModel::Surroundings around{.rate = rate * others, .decoding = 0, .busy = std::min(1.0, n - 1.0)};
    InstanceState state;
    state.present = n;
    state.decoding = 0.9 * n;
    PrefillModel::Effect effect;
    for (int i = 0; i < 8; ++i) {
        around.decoding = state.decoding * others;
        effect = prefill_.effect(around);
        const double next = effect.saturated ? n : std::min(n, rate * decode_steps_ * effect.token_interval.value());
        const double change = std::abs(next - state.decoding);
        state.decoding = next;
        if (change <= 1e-4 * n) break;
    }
    if (effect.saturated) {
        state.residence = Seconds(HUGE_VAL);
        return state;
    }
    state.admission = effect.admission;
    state.prefill = effect.prefill;
    state.decode_step = effect.decode_step;
    state.token_interval = effect.token_interval;
    state.own_interval = effect.own_interval;
    state.stall = effect.stall;
    state.stalls = effect.stalls;
    state.residence = state.admission + state.prefill + state.token_interval * decode_steps_;
    return state;
}

/// The residence R that reproduces itself: what a shorter stay, a higher rate, makes the requests wait, a longer one
/// does not, so that R(n / R) - R falls and has one root. Regula falsi in log R (Illinois).
InstanceState InstanceModel::solve(double n, Seconds guess) const {
    const auto excess = [&](double log_residence, InstanceState& state) {
        state = evaluate(n, Seconds(std::exp(log_residence)));
        return std::min(50.0, std::log(state.residence.value()) - log_residence);
    };
    if (n <= 1.0) return evaluate(n, evaluate(n, Seconds(HUGE_VAL)).residence);
    InstanceState state, above;  // `above`: at the upper end, where the prompts are surely prefilled in time
    double low = std::log(guess.value()), f_low = excess(low, state);
    double high = low, f_high = f_low;
    above = state;
    for (double step = 0.05; f_high > 0; step *= 2.0) {
        low = high, f_low = f_high;
        high += step;
        f_high = excess(high, above);
    }
    for (double step = 0.05; f_low < 0; step *= 2.0) {
        high = low, f_high = f_low, above = state;
        low -= step;
        f_low = excess(low, state);
    }
    double previous = 0;
    for (int i = 0; i < 60 && high - low > 1e-7; ++i) {
        const double middle = high - f_high * (high - low) / (f_high - f_low);
        const double f = excess(middle, state);
        if (std::abs(f) < 1e-6) return state;
        (f > 0 ? low : high) = middle;
        (f > 0 ? f_low : f_high) = f;
        if (f <= 0) above = state;
        if (f * previous > 0) (f > 0 ? f_high : f_low) /= 2.0;
        previous = f;
    }
    return above;
}

InstanceState InstanceModel::at(double n) const {
    const double wanted = std::clamp(n, 1.0, batch_limit_);
    const auto above = std::lower_bound(grid_.begin(), grid_.end(), wanted,
                                        [](const InstanceState& s, double value) { return s.present < value; });
    if (above == grid_.end()) return grid_.back();
    if (above == grid_.begin()) return grid_.front();
    const InstanceState &a = *(above - 1), &b = *above;
    const double share = (wanted - a.present) / (b.present - a.present);
    InstanceState state;
    state.present = wanted;
    state.decoding = mix(a.decoding, b.decoding, share);
    state.admission = mix(a.admission, b.admission, share);
    state.prefill = mix(a.prefill, b.prefill, share);
    state.decode_step = mix(a.decode_step, b.decode_step, share);
    state.token_interval = mix(a.token_interval, b.token_interval, share);
    state.own_interval = mix(a.own_interval, b.own_interval, share);
    state.residence = mix(a.residence, b.residence, share);
    state.stall = mix(a.stall, b.stall, share);
    state.stalls = mix(a.stalls, b.stalls, share);
    return state;
}

}  // namespace plimsoll
