#include "model/capacity/instance_model.hpp"

#include <algorithm>
#include <cmath>

#include "model/base/error.hpp"
#include "model/capacity/static_batch.hpp"

namespace plimsoll {
namespace {

/// Numbers of requests at which the mean field is solved: all up to 4, then about five an octave, and the last.
std::vector<double> grid_points(double below) {
    std::vector<double> points;
    for (double n = 1.0; n < below; n = n < 4.0 ? n + 1.0 : std::floor(n * 1.15 + 1.0)) points.push_back(n);
    if (below > 1.0) points.push_back(below);
    return points;
}

template <class Quantity>
Quantity mix(Quantity a, Quantity b, double share) {
    return a + (b - a) * share;
}

Stalls mix(const Stalls& a, const Stalls& b, double share) {
    return {mix(a.a_step, b.a_step, share),
            mix(a.at_start, b.at_start, share),
            mix(a.one, b.one, share),
            mix(a.size_spread, b.size_spread, share),
            mix(a.count_spread, b.count_spread, share),
            mix(a.in_a_row, b.in_a_row, share)};
}

Meetings mix(const Meetings& a, const Meetings& b, double share) {
    const auto kind = [&](const Meetings::Kind& x, const Meetings::Kind& y) {
        return Meetings::Kind{mix(x.share, y.share, share), mix(x.length, y.length, share),
                              mix(x.variance, y.variance, share)};
    };
    return {kind(a.step, b.step), kind(a.episode, b.episode), mix(a.gathered, b.gathered, share)};
}

/// Tokens that a decode step reads for one sequence: p + j in the j-th of o - 1 steps, mean over steps.
double mean_context(const Workload& workload) {
    const double output = workload.output.mean();
    if (output <= 1.0) return workload.prompt.mean() + 1.0;
    return workload.prompt.mean() + (workload.output.second_moment() - output) / (2.0 * (output - 1.0));
}

/// Requests that fill the KV cache. The oldest waiting request does not fit and keeps back the rest of the cache, in
/// the mean half of a request as those that end meet it, E[S^2] / (2 E[S]) (residual of a renewal process); with
/// paging, S is what a running request holds.
double batch_by_memory(const Engine& engine, const MemoryBudget& memory, const Workload& workload) {
    const double held = kv_demand(engine, workload).mean;
    double rest = held / 2.0;
    if (engine.reservation == KvReservation::full) {
        const Distribution &prompt = workload.prompt, &output = workload.output;
        const double promised = engine.reserved_output_tokens.value_or(0);
        const double o = promised > 0 ? promised : output.mean();
        const double o2 = promised > 0 ? promised * promised : output.second_moment();
        rest = (prompt.second_moment() + 2.0 * prompt.mean() * o + o2) / (2.0 * (prompt.mean() + o));
    }
    return (memory.kv_tokens - rest) / held;
}

}  // namespace

InstanceModel::InstanceModel(const StepCost& cost, const Deployment& deployment, const MemoryBudget& memory,
                             const Workload& workload, Seconds think_time)
    : cost_(&cost),
      deployment_(&deployment),
      workload_(&workload),
      think_time_(think_time),
      context_(mean_context(workload)),
      decode_steps_(std::max(0.0, workload.output.mean() - 1.0)),
      lone_step_(cost.decode(1.0, context_)),
      prefill_(cost, deployment, workload, context_, 0.0),
      rates_(std::vector<double>{1.0}, 1) {
    const Engine& engine = *deployment.engine;
    if (engine.scheduling == Scheduling::static_batch) {
        const double most = deployment.max_sequences;
        const StaticBatch batches(cost, workload, think_time);
        const double batch = batches.batch_in(memory.kv_tokens, engine.reserved_output_tokens.value_or(0), most);
        limited_by_memory_ = batch < most;
        batch_limit_ = batches.present_with(batch);
    } else {
        const double by_memory = batch_by_memory(engine, memory, workload);
        limited_by_memory_ = by_memory < deployment.max_sequences;
        batch_limit_ = std::max(1.0, std::min<double>(by_memory, deployment.max_sequences));
    }

    const bool preempts = limited_by_memory_ && engine.reservation == KvReservation::paged;
    // The KV tokens held fluctuate about their mean by as much as some sqrt(n) requests hold.
    for (const double n : grid_points(preempts ? batch_limit_ - std::sqrt(batch_limit_) : batch_limit_)) {
        grid_.push_back(solve(n, guess_at(n)));
    }
    if (preempts) prefill_ = PrefillModel(cost, deployment, workload, context_, workload.output.mean());
    if (preempts || grid_.empty()) grid_.push_back(solve(batch_limit_, guess_at(batch_limit_)));
    // The chain has whole levels; its last one is the batch limit itself, whole or not.
    const auto levels = static_cast<std::size_t>(std::ceil(batch_limit_));
    std::vector<double> rates(levels);
    for (std::size_t n = 1; n <= levels; ++n) rates[n - 1] = at(static_cast<double>(n)).rate().value();
    rates_ = ServiceRates(rates, levels);
}

/// The residence of n requests from those of fewer, along a power of n.
Seconds InstanceModel::guess_at(double n) const {
    if (grid_.empty()) return evaluate(1.0, Seconds(HUGE_VAL), least_residence(1.0)).residence;
    const InstanceState& last = grid_.back();
    if (grid_.size() == 1) return last.residence;
    const InstanceState& before = grid_[grid_.size() - 2];
    const double power = std::log(last.residence / before.residence) / std::log(last.present / before.present);
    return last.residence * std::pow(n / last.present, power);
}

Seconds InstanceModel::least_residence(double n) const {
    return prefill_.occupied(n) * n;
}

Seconds InstanceModel::lone_prefill(double prompt) const {
    const double budget = deployment_->engine->max_step_tokens;
    const bool chunked = deployment_->engine->scheduling == Scheduling::chunked && prompt > budget;
    Seconds sum;
    for (double done = 0; done < prompt;) {
        const double part = chunked ? std::min(budget, prompt - done) : prompt;
        sum += prefill_.prefill(1.0, part, causal_pairs(part, done));
        done += part;
    }
    return sum;
}

/// What n requests would take if they stayed for `residence` each; infinite where that is too short to prefill all. The
/// decoding ones follow from r = X (output - 1) interval(r), whose least root is the state that an empty instance
/// fills up to; the interval is convex in r, so that Steffensen's steps from below stay below.
InstanceState InstanceModel::evaluate(double n, Seconds residence, Seconds least) const {
    const double rate = n / residence.value(), others = (n - 1.0) / n;
    InstanceState state;
    state.present = n;
    PrefillModel::Course course;
    const auto next = [&](double r) {
        course = prefill_.course(
            {.rate = rate * others, .decoding = r * others, .busy = std::min(1.0, n - 1.0), .prompts = course.prompts});
        return course.saturated ? n : std::min(n, rate * decode_steps_ * course.token_interval.value());
    };
    double x = std::min(n, rate * decode_steps_ * lone_step_.value()), f = next(x);
    for (int i = 0; i < 20 && !course.saturated && f - x > 1e-4 * n; ++i) {
        const double y = f, g = next(y);
        if (course.saturated) break;
        const double bend = g - 2.0 * y + x;
        const double guess = std::abs(bend) > 1e-12 ? x - (y - x) * (y - x) / bend : g;
        x = guess >= g && guess <= n ? guess : g;
        f = next(x);
    }
    state.decoding = f;
    if (course.saturated) {
        state.residence = Seconds(HUGE_VAL);
        return state;
    }
    const PrefillModel::Effect effect = prefill_.effect(course);
    state.admission = effect.admission;
    state.prefill = effect.prefill;
    state.decode_step = course.decode_step;
    state.token_interval = course.token_interval;
    state.own_interval = effect.own_interval;
    state.meetings = effect.meetings;
    state.stalls = course.stalls;
    const Seconds stay = state.admission + state.prefill + state.token_interval * decode_steps_;
    state.residence = std::max(stay, least);
    state.admission += state.residence - stay;
    return state;
}

/// The residence R that reproduces itself: the shorter the stay, the higher the rate and the longer the waits, so that
/// what n requests would take falls with R and meets it once. Regula falsi in log R (Illinois).
InstanceState InstanceModel::solve(double n, Seconds guess) const {
    if (deployment_->engine->scheduling == Scheduling::static_batch)
        return StaticBatch(*cost_, *workload_, think_time_).at(n);
    const Seconds least = least_residence(n);
    if (n <= 1.0) return evaluate(n, guess, least);
    InstanceState state, above;  // `above`: at the upper end, where the prompts are surely prefilled in time
    const auto excess = [&](double log_residence, InstanceState& result) {
        result = evaluate(n, Seconds(std::exp(log_residence)), least);
        return std::min(50.0, std::log(result.residence.value()) - log_residence);
    };
    double low = std::log(guess.value()), f_low = excess(low, state);
    double high = low, f_high = f_low;
    above = state;
    for (double step = 0.005; f_high > 0; step *= 2.0) {
        low = high, f_low = f_high;
        high += std::max(step, std::min(f_low, 1.0));
        f_high = excess(high, above);
    }
    for (double step = 0.005; f_low < 0; step *= 2.0) {
        high = low, f_high = f_low, above = state;
        low -= step;
        f_low = excess(low, state);
    }
    int side = 0;
    for (int i = 0; i < 60 && high - low > 1e-6 && f_high < -1e-5; ++i) {
        const double middle = f_low < 49.0 ? high - f_high * (high - low) / (f_high - f_low) : (low + high) / 2.0;
        const double f = excess(middle, state);
        if (f > 1e-5) {
            low = middle, f_low = f;
            if (side > 0) f_high /= 2.0;
            side = 1;
        } else {
            high = middle, f_high = f, above = state;
            if (side < 0) f_low /= 2.0;
            side = -1;
        }
    }
    // Where the prompts saturate the engine the rest of the stay is waiting for the own prefill.
    above.admission += std::max(Seconds(0), Seconds(std::exp(high)) - above.residence);
    above.residence = above.admission + above.prefill + above.token_interval * decode_steps_;
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
    state.meetings = mix(a.meetings, b.meetings, share);
    state.own_variance = mix(a.own_variance, b.own_variance, share);
    state.stalls = mix(a.stalls, b.stalls, share);
    return state;
}

}  // namespace plimsoll
