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

Seconds mix(Seconds a, Seconds b, double share) {
    return a + (b - a) * share;
}
double mix(double a, double b, double share) {
    return a + (b - a) * share;
}

}  // namespace

InstanceModel::InstanceModel(const StepCost& cost, const Deployment& deployment, const MemoryBudget& memory,
                             const Workload& workload, double time_scale)
    : cost_(&cost),
      deployment_(&deployment),
      workload_(&workload),
      time_scale_(time_scale),
      prompt_(workload.prompt.mean()),
      pairs_((workload.prompt.second_moment() + workload.prompt.mean()) / 2.0),
      // A running request is seen in proportion to its length: its progress is E[o^2] / (2 E[o]) on average.
      context_(prompt_ + workload.output.second_moment() / (2.0 * workload.output.mean())),
      decode_steps_(std::max(0.0, workload.output.mean() - 1.0)),
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

Seconds InstanceModel::group_prefill(double prompts) const {
    return cost_->prefill(prompts, prompts * prompt_, prompts * pairs_) * time_scale_;
}

Seconds InstanceModel::lone_prefill(double prompt) const {
    return cost_->prefill(1.0, prompt, causal_pairs(prompt, 0.0)) * time_scale_;
}

/// `rate`: requests a second; sets everything but `residence` from it.
void InstanceModel::exclusive(double rate, InstanceState& state) const {
    const Engine& engine = *deployment_->engine;
    const double step = state.token_interval.value();
    double window = 1.0;
    if (engine.waiting_served_ratio) {
        const double until_ratio = *engine.waiting_served_ratio * state.decoding / std::max(rate * step, 1e-12);
        window = std::clamp<double>(until_ratio, 1.0, *engine.max_waiting_tokens);
    }
    const double arrivals = rate * window * step;  // in a closed window
    const double largest = std::max(1.0, engine.max_prefill_tokens / prompt_);
    state.group = std::clamp(arrivals + std::exp(-arrivals), 1.0, std::max(1.0, std::min(state.present, largest)));
    const Seconds prefill = group_prefill(state.group);
    const Seconds stall = cost_->prefill_stall(state.group, state.group * prompt_, state.group * pairs_) * time_scale_;
    const double share = std::min(0.98, rate / state.group * stall.value());
    // Nobody waits in an empty instance: the others present see to the step that is under way.
    const double busy = (state.present - 1.0) / state.present;
    const double closed = arrivals / (arrivals + std::exp(-arrivals));
    const double rest_of_window = closed * (window - 1.0) * step / 2.0;
    const double rest_of_step = (1.0 - share) * state.decode_step.value() / 2.0 + share * stall.value() / 2.0;
    state.admission = Seconds(busy * (rest_of_window + rest_of_step));
    state.prefill = prefill;
    state.prefill_share = share;
    state.token_interval = state.decode_step / (1.0 - share);
}

void InstanceModel::chunked(double rate, InstanceState& state) const {
    const double budget = std::max(1.0, deployment_->engine->max_step_tokens - state.decoding);
    const double arrivals = rate * state.token_interval.value();  // in one step
    state.group = std::clamp(arrivals + std::exp(-arrivals), 1.0, std::max(1.0, state.present));
    const double tokens = state.group * prompt_;
    const double steps = std::max(1.0, tokens / budget);
    const StepShape shape{.prefill_sequences = std::max(1.0, state.group / steps),
                          .prefill_tokens = tokens / steps,
                          .attention_pairs = state.group * pairs_ / steps,
                          .decode_sequences = state.decoding,
                          .context_tokens = state.decoding * context_};
    const Seconds mixed = cost_->step(shape) * time_scale_;
    const Seconds alone = state.decoding > 0 ? state.decode_step : Seconds(0);
    const Seconds added = std::max(Seconds(0), mixed - alone) * steps;
    const double share = std::min(0.98, rate / state.group * added.value());
    const double busy = (state.present - 1.0) / state.present;
    // Prompts queue for the budget like for a single server of fixed service: the wait of M/D/1 on top of half a step.
    const double queue = share / (1.0 - share) * (mixed * steps).value() / 2.0;
    state.admission = Seconds(busy * (state.decode_step.value() / 2.0 + queue));
    state.prefill = mixed * steps;
    state.prefill_share = share;
    state.token_interval = state.decode_step / (1.0 - share);
}

InstanceState InstanceModel::solve(double n, Seconds first_guess) const {
    InstanceState state;
    state.present = n;
    state.decoding = n;
    double residence = first_guess.value();
    for (int iteration = 0; iteration < 60; ++iteration) {
        const double decoding = std::max(state.decoding, std::min(n, 0.05));
        state.decode_step = cost_->decode(std::max(1.0, decoding), std::max(1.0, decoding) * context_) * time_scale_;
        if (iteration == 0) {
            state.token_interval = state.decode_step;
            residence = std::max(residence, (group_prefill(1.0) + state.decode_step * decode_steps_).value());
        }
        if (deployment_->engine->scheduling == Scheduling::exclusive_prefill)
            exclusive(n / residence, state);
        else
            chunked(n / residence, state);
        const double next = (state.admission + state.prefill + state.token_interval * decode_steps_).value();
        const double change = std::abs(next / residence - 1.0);
        residence = std::sqrt(residence * next);
        state.decoding = n * std::min(1.0, state.token_interval.value() * decode_steps_ / residence);
        if (change < 1e-7) break;
    }
    state.residence = Seconds(residence);
    return state;
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
    state.residence = mix(a.residence, b.residence, share);
    state.prefill_share = mix(a.prefill_share, b.prefill_share, share);
    state.group = mix(a.group, b.group, share);
    return state;
}

}  // namespace plimsoll
