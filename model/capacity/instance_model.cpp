#include "model/capacity/instance_model.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "model/base/error.hpp"

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

/// Logarithm that stands for a load beyond all that the engine can do.
constexpr double none_fits = 50.0;
/// Answers of one token do not decode; this many steps stand for none.
constexpr double least_steps = 1e-6;

/// The place below which a rising `f` is negative, between `low`, where it is, and `high`, where it is not; f may jump
/// there. Regula falsi (Illinois), bisection where f is `none_fits`.
template <class Function>
double root_below(double low, double f_low, double high, double f_high, Function f) {
    int side = 0;
    for (int i = 0; i < 60 && high - low > 1e-7; ++i) {
        const double share = f_high < 0.9 * none_fits ? -f_low / (f_high - f_low) : 0.5;
        const double middle = low + share * (high - low), at = f(middle);
        if (std::abs(at) < 1e-6) return middle;
        if (at < 0) {
            low = middle, f_low = at;
            if (side < 0 && f_high < 0.9 * none_fits) f_high /= 2.0;
            side = -1;
        } else {
            high = middle, f_high = at;
            if (side > 0) f_low /= 2.0;
            side = 1;
        }
    }
    return low;
}

}  // namespace

InstanceModel::InstanceModel(const StepCost& cost, const Deployment& deployment, const MemoryBudget& memory,
                             const Workload& workload, std::optional<Distribution> think_shape)
    : cost_(&cost),
      deployment_(&deployment),
      workload_(&workload),
      think_shape_(std::move(think_shape)),
      context_(mean_context(workload)),
      decode_steps_(std::max(0.0, workload.output.mean() - 1.0)),
      prefill_(cost, deployment, workload, context_, 0.0),
      rates_(std::vector<double>{1.0}, 1) {
    const Engine& engine = *deployment.engine;
    if (engine.scheduling == Scheduling::static_batch) {
        if (!think_shape_) think_shape_ = Distribution::parse_seconds("exponential:mean=1s", "think time");
        batches_.emplace(cost, deployment, memory, workload);
        limited_by_memory_ = batches_->limited_by_memory();
        batch_limit_ = batches_->limit();
    } else {
        const double by_memory = batch_by_memory(engine, memory, workload);
        limited_by_memory_ = by_memory < deployment.max_sequences;
        batch_limit_ = std::max(1.0, std::min<double>(by_memory, deployment.max_sequences));
    }

    const bool preempts = limited_by_memory_ && engine.reservation == KvReservation::paged;
    // The KV tokens held fluctuate about their mean by as much as some sqrt(n) requests hold.
    for (const double n : grid_points(preempts ? batch_limit_ - std::sqrt(batch_limit_) : batch_limit_)) {
        grid_.push_back(solve(n));
    }
    if (preempts) prefill_ = PrefillModel(cost, deployment, workload, context_, workload.output.mean());
    if (preempts || grid_.empty()) grid_.push_back(solve(batch_limit_));
    // The chain has whole levels; its last one is the batch limit itself, whole or not.
    const auto levels = static_cast<std::size_t>(std::ceil(batch_limit_));
    std::vector<double> rates(levels);
    for (std::size_t n = 1; n <= levels; ++n) rates[n - 1] = at(static_cast<double>(n)).rate().value();
    rates_ = ServiceRates(rates, levels);
}

Seconds InstanceModel::lone_prefill(double prompt) const {
    const double budget = step_tokens(*deployment_);
    const bool chunked = deployment_->engine->scheduling == Scheduling::chunked && prompt > budget;
    Seconds sum;
    for (double done = 0; done < prompt;) {
        const double part = chunked ? std::min(budget, prompt - done) : prompt;
        sum += prefill_.prefill(1.0, part, causal_pairs(part, done));
        done += part;
    }
    return sum;
}

/// The rate at which `decoding` of n requests decode: X (output - 1) interval(X) = r. The interval rises with the rate,
/// so that there is one; none where the prompts of that rate come faster than they can be prefilled. `guess`: a rate
/// near it, or 0.
std::optional<InstanceModel::Flow> InstanceModel::flow(double n, double decoding, double guess) const {
    const double others = (n - 1.0) / n, steps = std::max(decode_steps_, least_steps);
    Flow result;
    double asked = 0, found = 0;  // the last logarithm of a rate, and its excess
    const auto excess = [&](double log_rate) {
        asked = log_rate;
        result.rate = std::exp(log_rate);
        result.course = prefill_.course({.rate = result.rate * others,
                                         .decoding = decoding * others,
                                         .busy = std::min(1.0, n - 1.0),
                                         .prompts = result.course.prompts});
        found = result.course.saturated
                    ? none_fits
                    : std::log(result.rate * steps * result.course.token_interval.value() / decoding);
        return found;
    };
    // A token takes a decode step at least.
    double high = std::log(guess > 0 ? guess : decoding / (steps * cost_->decode(1.0, context_).value()));
    double f_high = excess(high), low = high, f_low = f_high;
    if (std::abs(f_high) < 1e-6) return result;
    // The excess grows by the logarithm of the rate at least, so that its value is as far as the root can be.
    if (f_high < 0)
        f_high = excess(high -= f_high - 1e-6);
    else
        for (; f_low > 0; f_low = excess(low)) low -= std::min(f_low, 1.0) + 1e-6;
    const double root = root_below(low, f_low, high, f_high, excess);
    if (std::abs(root == asked ? found : excess(root)) > 1e-4) return std::nullopt;
    return result;
}

/// What n requests mean if `decoding` of them decode; those that neither decode nor are prefilled wait for admission.
InstanceState InstanceModel::state_of(double n, double decoding, const Flow& flow) const {
    const PrefillModel::Course& course = flow.course;
    const PrefillModel::Effect effect = prefill_.effect(course);
    InstanceState state;
    state.present = n;
    state.decoding = decoding;
    state.admission = effect.admission;
    state.prefill = effect.prefill;
    state.decode_step = course.decode_step;
    state.token_interval = course.token_interval;
    state.own_interval = effect.own_interval;
    state.meetings = effect.meetings;
    state.stalls = course.stalls;
    const Seconds stay = state.admission + state.prefill + state.token_interval * decode_steps_;
    state.residence = std::max(stay, Seconds(flow.rate > 0 ? n / flow.rate : 0.0));
    state.admission += state.residence - stay;
    return state;
}

InstanceState InstanceModel::state_of(double n, const StaticBatch::Batch& batch) {
    InstanceState state;
    state.present = state.decoding = n;
    state.prefill = Seconds(batch.prefill);
    state.decode_step = Seconds(batch.decode_step);
    state.token_interval = state.own_interval = Seconds(batch.decode_step * batch.stretch);
    state.residence = Seconds(batch.mean_time);
    return state;
}

/// The number r of decoding requests with r + X(r) (admission + prefill) = n: the more decode, the longer their steps
/// and the more wait, so that there is one. Where prompts saturate the engine, it is the most that can decode.
InstanceState InstanceModel::solve(double n) const {
    if (batches_) return state_of(n, batches_->of(n));
    if (n <= 1.0) {
        InstanceState state =
            state_of(n, 0, {.rate = 0, .course = prefill_.course({.rate = 0, .decoding = 0, .busy = 0, .prompts = 1})});
        state.decoding = n * (state.token_interval * decode_steps_ / state.residence);
        return state;
    }
    // No rate is beyond that of prefills alone, in groups of all present.
    const double most = 1.0 / prefill_.occupied(n).value();
    Flow best;
    double best_decoding = 0, best_excess = -none_fits, guess = 0;
    const auto excess = [&](double log_decoding) {
        const double decoding = std::exp(log_decoding);
        std::optional<Flow> found = flow(n, decoding, guess);
        if (!found && guess > 0) found = flow(n, decoding, 0);
        if (!found || found->rate > most) return none_fits;
        guess = found->rate;
        const PrefillModel::Effect effect = prefill_.effect(found->course);
        const double value = std::log((decoding + found->rate * (effect.admission + effect.prefill).value()) / n);
        if (value < 1e-6 && value > best_excess) best = *found, best_decoding = decoding, best_excess = value;
        return value;
    };
    double above = std::log(n), f_above = none_fits;
    double low = above - 0.1;
    if (!grid_.empty() && grid_.back().decoding > 0)
        low = std::log(n * grid_.back().decoding / grid_.back().present) - 1e-3;
    double f_low = excess(low);
    for (; f_low >= 0; f_low = excess(low)) above = low, f_above = f_low, low -= std::clamp(2.0 * f_low, 1e-3, 0.5);
    (void)root_below(low, f_low, above, f_above, excess);
    return state_of(n, best_decoding, best);
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
    state.stalls = mix(a.stalls, b.stalls, share);
    return state;
}

}  // namespace plimsoll
