#include "model/capacity/forecaster.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "model/base/error.hpp"
#include "model/capacity/percentiles.hpp"
#include "model/capacity/waiting.hpp"

namespace plimsoll {
namespace {

double squared(double x) {
    return x * x;
}

/// What a prefill alone takes by the length of its prompt; the longest, which are the tail of TTFT, are told apart
/// finest. Two points stand for a range of lengths, which is no atom, with its mean and variance (Gauss).
Mixture prefills_of(const InstanceModel& model) {
    constexpr std::array bounds{0.0, 0.2, 0.4, 0.6, 0.75, 0.85, 0.92, 0.96, 0.98, 0.99, 0.995, 1.0};
    Mixture result;
    for (std::size_t i = 0; i + 1 < bounds.size(); ++i) {
        const double middle = (bounds[i] + bounds[i + 1]) / 2.0, share = bounds[i + 1] - bounds[i];
        const auto at = [&](double u) { return model.lone_prefill(model.workload().prompt.quantile(u)); };
        const double off_middle = share / std::sqrt(12.0);
        const Seconds low = at(middle - off_middle), high = at(middle + off_middle), half = (high - low) / 2.0;
        result.add(share, low + half, half * half);
    }
    return result;
}

/// s a step, mean over answers of so many steps.
double stalls_a_step(const Stalls& stalls, double steps) {
    return stalls.over(steps).value() / steps;
}

/// Calls `visit(weight, first moment of n)` for up to `groups` runs of neighbouring states.
template <class Visit>
void by_groups(const StateDistribution& states, Visit visit) {
    constexpr std::size_t groups = 32;
    const std::size_t size = states.probability.size(), width = std::max<std::size_t>(1, size / groups);
    for (std::size_t begin = 0; begin < size; begin += width) {
        double weight = 0, moment = 0;
        for (std::size_t i = begin; i < std::min(size, begin + width); ++i) {
            weight += states.probability[i];
            moment += states.probability[i] * static_cast<double>(states.first + i);
        }
        if (weight > 1e-15) visit(weight, moment / weight);
    }
    if (states.tail_mass > 0)
        visit(states.tail_mass, static_cast<double>(states.last()) + 1.0 / (1.0 - states.tail_ratio));
}

}  // namespace

Forecaster::Forecaster(const InstanceModel& model)
    : model_(&model),
      bunching_(model),
      answers_(answers_of(model.workload().output)),
      own_prefill_(prefills_of(model)) {
    if (model.batches() != nullptr) static_.emplace(model);
}

std::vector<Forecaster::Answers> Forecaster::answers_of(const Distribution& output) {
    constexpr std::array bounds{0.0, 0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.35, 0.65, 1.0};
    std::vector<Answers> result;
    double all = 0;
    for (std::size_t i = 0; i + 1 < bounds.size(); ++i) {
        // Tokens are whole: what is left of one token has no interval.
        const double tokens = output.quantile((bounds[i] + bounds[i + 1]) / 2.0);
        if (tokens < 1.5) continue;
        const double share = bounds[i + 1] - bounds[i], steps = std::max(1.0, tokens - 1.0);
        all += share;
        if (!result.empty() && result.back().steps == steps)
            result.back().share += share;
        else
            result.push_back({share, steps});
    }
    for (Answers& answers : result) answers.share /= all;
    return result;
}

Forecaster::Means Forecaster::means(const SteadyState& steady) const {
    Means result;
    result.wait = steady.mean_wait * ((1.0 + model_->workload().output.cv2()) / 2.0);
    double tokens = 0, own = 0;
    by_groups(steady.present, [&](double weight, double n) {
        if (n < 0.5) return;
        const InstanceState state = model_->at(n);
        result.decoding += weight * state.decoding * std::min(1.0, n);
        const double rate = weight * state.decoding / state.token_interval.value();
        tokens += rate * state.token_interval.value();
        own += rate * state.own_interval.value();
    });
    const double steps = model_->decode_steps();
    const Seconds lone = model_->at(1).token_interval;
    const double throughput = steady.throughput.value();
    const Seconds interval = throughput > 0 && steps > 0 ? Seconds(result.decoding / (throughput * steps)) : lone;
    result.tpot = tokens > 0 ? interval * (own / tokens) : lone;
    result.e2e = steady.mean_response - steady.mean_wait + result.wait;
    result.ttft = std::max(result.e2e - interval * steps, model_->at(1).prefill);
    return result;
}

void Forecaster::fill(const SteadyState& steady, const Means& means, Forecast& forecast) const {
    const Workload& workload = model_->workload();
    forecast.output_tokens_per_s = forecast.request_rate.value() * workload.output.mean();
    forecast.waiting = forecast.request_rate * means.wait;
    forecast.running = forecast.request_rate * (means.e2e - means.wait);
    forecast.utilization = steady.utilisation;
    forecast.kv_tokens = forecast.running * model_->context();
    forecast.latencies[Metric::ttft][Statistic::mean] = means.ttft;
    forecast.latencies[Metric::tpot][Statistic::mean] = means.tpot;
    forecast.latencies[Metric::e2e][Statistic::mean] = means.e2e;
}

Forecast Forecaster::at_clients(Forecast forecast) const {
    const Seconds front_end = model_->cost().front_end();
    for (const Metric metric : {Metric::ttft, Metric::e2e})
        for (std::size_t i = 0; i < statistic_names.size(); ++i)
            forecast.latencies[metric][static_cast<Statistic>(i)] += front_end;
    return forecast;
}

Forecast Forecaster::closed(std::size_t users, Seconds think_time, Detail detail) {
    return at_clients(closed_at_engine(users, think_time + model_->cost().front_end(), detail));
}

Forecast Forecaster::open(PerSecond rate, Detail detail) {
    return at_clients(open_at_engine(rate, detail));
}

Forecast Forecaster::closed_at_engine(std::size_t users, Seconds think_time, Detail detail) {
    if (static_) return static_->closed(users, think_time, detail == Detail::percentiles);
    const SteadyState steady = solve_closed(model_->rates(), users, think_time, workspace_);
    Means m = means(steady);
    Forecast forecast;
    forecast.users = static_cast<double>(users);
    // Little's law over the whole cycle, with the wait of FIFO; nothing beats the full station, or, where preemption
    // makes the full one slower, the chain.
    const double cycle = (think_time + m.e2e).value();
    const double most = std::max(steady.throughput, model_->rates().saturated()).value();
    forecast.request_rate = PerSecond(std::min(static_cast<double>(users) / cycle, most));
    const Seconds response = Seconds(static_cast<double>(users) / forecast.request_rate.value()) - think_time;
    m.wait += response - m.e2e;
    m.ttft += response - m.e2e;
    m.e2e = response;
    forecast.offered_rate = forecast.request_rate;
    Bunching::Wave wave = bunching_.wave(users, think_time, forecast.request_rate);
    // The wave has the waits for a place too.
    wave.wait = std::max(Seconds(0), wave.wait - std::max(Seconds(0), m.wait));
    // What prompts wait longer, answers that have begun wait less.
    const Seconds longer = (m.ttft - own_prefill_.mean()) * (wave.amplified - 1.0) + wave.wait;
    const double steps = std::max(1.0, model_->decode_steps());
    const Seconds moved = std::clamp(longer, Seconds(0), m.tpot * (0.9 * steps));
    m.ttft += moved;
    m.tpot -= moved / steps;
    fill(steady, m, forecast);
    if (detail == Detail::percentiles)
        percentiles(steady, 1.0 + (think_time > Seconds(0) ? m.e2e / think_time : 0.0), wave, forecast);
    return forecast;
}

Forecast Forecaster::open_at_engine(PerSecond rate, Detail detail) {
    Forecast forecast;
    forecast.offered_rate = rate;
    const auto solved = solve_open(model_->rates(), rate, workspace_);
    if (const auto* overload = std::get_if<Overload>(&solved)) {
        forecast.overloaded = true;
        forecast.request_rate = overload->goodput;
        forecast.shed_rate = overload->shed_rate;
        forecast.utilization = 1.0;
        forecast.running = model_->batch_limit();
        forecast.kv_tokens = forecast.running * model_->context();
        forecast.output_tokens_per_s = overload->goodput.value() * model_->workload().output.mean();
        return forecast;
    }
    const SteadyState& steady = std::get<SteadyState>(solved);
    if (static_) return static_->open(rate, detail == Detail::percentiles);
    forecast.request_rate = steady.throughput;
    fill(steady, means(steady), forecast);
    if (detail == Detail::percentiles) percentiles(steady, 1.0, {}, forecast);
    return forecast;
}

/// The uniform wait for the rest of the step under way, in slices.
void Forecaster::add_meeting(double weight, const Meetings::Kind& met, double gathered, const TimeMoments& rest) {
    constexpr int slices = 4;
    const Seconds slice = met.length / static_cast<double>(slices);
    const Seconds least = rest.mean + met.length * gathered;
    const SecondsSquared variance = rest.variance + met.variance + slice * slice / 12.0;
    for (int i = 0; i < slices; ++i)
        around_.add(weight * met.share / slices, std::max(Seconds(1e-9), least + slice * (i + 0.5)), variance);
}

void Forecaster::ttft_mixture(const StateDistribution& seen, Seconds mean) {
    around_.clear();
    const double places = model_->batch_limit(), cv2 = model_->workload().output.cv2();
    const Seconds own = own_prefill_.mean();
    by_groups(seen, [&](double weight, double n) {
        const InstanceState state = model_->at(n + 1.0);
        const Meetings meets = state.meetings.within(state.admission + state.prefill - own);
        TimeMoments rest{.mean = state.admission + state.prefill - own - meets.mean()};
        if (n >= places) {
            const TimeMoments wait = wait_of_position(n - places + 1.0, model_->rates().saturated(), cv2);
            rest.mean += wait.mean;
            rest.variance = wait.variance;
        }
        add_meeting(weight, meets.step, meets.gathered, rest);
        add_meeting(weight, meets.episode, meets.gathered, rest);
        const double nobody = 1.0 - meets.step.share - meets.episode.share;
        around_.add(weight * std::max(0.0, nobody), std::max(Seconds(1e-9), rest.mean), rest.variance);
    });
    ttft_.assign_sum(around_, own_prefill_, 24);
    // The mixture gives the shape; Little's law has given the mean.
    ttft_.scale(mean / ttft_.mean());
}

/// `averaging`: a request's stay over the time in which the number of requests forgets its state; the mean over the
/// stay of a fluctuation that decays exponentially has 2 (x - 1 + e^-x) / x^2 of its variance.
void Forecaster::tpot_mixture(const StateDistribution& present, Seconds mean, double averaging) {
    tpot_.clear();
    paces_.clear();
    const double keep = std::sqrt(2.0 * (averaging - 1.0 + std::exp(-averaging)) / squared(averaging));
    const bool chunked = model_->deployment().engine->scheduling == Scheduling::chunked;
    Pace mean_pace{};
    double mean_stalled = 0;
    by_groups(present, [&](double weight, double n) {
        if (n < 0.5) return;
        const InstanceState state = model_->at(n);
        const double tokens = weight * state.decoding / state.token_interval.value(),
                     stalled = stalled_a_step(state.stalls);
        paces_.push_back({tokens, state.own_interval - (chunked ? Seconds(stalled) : Seconds(0)), state.stalls});
        mean_pace.weight += tokens;
        mean_pace.stalls = mix(mean_pace.stalls, state.stalls, tokens / mean_pace.weight);
        mean_stalled += (stalled - mean_stalled) * (tokens / mean_pace.weight);
    });
    for (Pace& pace : paces_) {
        // The number present is that of those who came, whose prompts the spread of the stalls tells already. Prefills
        // that stop everybody come in clusters with that number, of which that spread has none.
        const double middle = chunked ? mean.value() - mean_stalled : mean.value();
        const double kept = middle + (pace.alone.value() - middle) * keep;
        if (chunked) pace.stalls = mean_pace.stalls;
        pace.alone = Seconds(std::max(1e-9, chunked ? kept : kept - stalled_a_step(pace.stalls)));
        add_stalled(pace);
    }
}

/// s, mean over requests.
double Forecaster::stalled_a_step(const Stalls& stalls) const {
    double stalled = 0;
    for (const Answers& a : answers_) stalled += a.share * stalls_a_step(stalls, a.steps);
    return stalled;
}

/// Of short answers some meet no stall and the others carry a whole one over few tokens.
void Forecaster::add_stalled(const Pace& pace) {
    if (pace.stalls.one <= Seconds(0)) return tpot_.add(pace.weight, pace.alone);
    for (const Answers& a : answers_) {
        const double own = stalls_a_step(pace.stalls, a.steps);
        const double variance = pace.stalls.variance(a.steps).value() / squared(a.steps);
        const double none = pace.stalls.none(a.steps);
        const double some = 1.0 - none, stalled = some > 0 ? own / some : 0.0;
        const double rest = some > 0 ? (variance + squared(own)) / some - squared(stalled) : 0.0;
        constexpr double hardly = 1e-6;  // what is rarer changes no percentile
        if (none > hardly) tpot_.add(pace.weight * a.share * none, pace.alone);
        if (some > hardly)
            tpot_.add(pace.weight * a.share * some, pace.alone + Seconds(stalled), SecondsSquared(std::max(0.0, rest)));
    }
}

/// TTFT and, independent of it, the decoding of answers by their length: the longer one is, the more its stalls even
/// out, while all its tokens share the pace of its time.
void Forecaster::e2e_mixture() {
    decode_.clear();
    constexpr int half = 12;
    for (int i = 0; i < 2 * half; ++i) {
        // The upper tail is cut finer: half of the points stand for the last tenth.
        const double u = i < half ? 0.9 * (i + 0.5) / half : 0.9 + 0.1 * (i - half + 0.5) / half;
        const double share = i < half ? 0.9 : 0.1;
        const double steps = std::max(0.0, model_->workload().output.quantile(u) - 1.0);
        if (steps <= 0) {
            decode_.add(share, Seconds(0));
            continue;
        }
        double weight = 0, mean = 0, square = 0;
        for (const Pace& pace : paces_) {
            const double time = steps * pace.alone.value() + pace.stalls.over(steps).value();
            weight += pace.weight;
            mean += pace.weight * time;
            square += pace.weight * (time * time + pace.stalls.variance(steps).value());
        }
        mean = weight > 0 ? mean / weight : 0.0;
        const double variance = weight > 0 ? std::max(0.0, square / weight - mean * mean) : 0.0;
        decode_.add(share, Seconds(mean), SecondsSquared(mean > 0 ? variance : 0.0));
    }
    e2e_.assign_sum(ttft_, decode_);
}

/// TTFT with the waits in a wave; answers of the wave end together, and the later they began the less time they took.
void Forecaster::read_wave(const Bunching::Wave& wave, Latencies& latencies) {
    const Seconds ttft = latencies[Metric::ttft][Statistic::mean], tpot = latencies[Metric::tpot][Statistic::mean];
    const Mixture quiet = ttft_;
    ttft_.assign_sum(quiet, wave.waits);
    ttft_.scale(ttft / ttft_.mean());
    constexpr int slices = 16;
    const Seconds spread = wave.stop / std::max(1.0, model_->decode_steps());
    tpot_.clear();
    for (int i = 0; i < slices; ++i) tpot_.add(1.0, std::max(tpot * 0.1, tpot + spread * ((i + 0.5) / slices - 0.5)));
}

void Forecaster::percentiles(const SteadyState& steady, double averaging, const Bunching::Wave& wave,
                             Forecast& forecast) {
    Latencies& latencies = forecast.latencies;
    const Seconds ttft = latencies[Metric::ttft][Statistic::mean], tpot = latencies[Metric::tpot][Statistic::mean];
    const Seconds waited = std::min(wave.wait, ttft * 0.99);
    ttft_mixture(steady.seen_by_arrival, ttft - waited);
    tpot_mixture(steady.present, tpot + waited / std::max(1.0, model_->decode_steps()), averaging);
    e2e_mixture();
    if (!wave.waits.empty()) read_wave(wave, latencies);
    read_percentiles(ttft_, latencies[Metric::ttft][Statistic::mean], latencies[Metric::ttft]);
    read_percentiles(tpot_, latencies[Metric::tpot][Statistic::mean], latencies[Metric::tpot]);
    read_percentiles(e2e_, latencies[Metric::e2e][Statistic::mean], latencies[Metric::e2e]);
}

}  // namespace plimsoll
