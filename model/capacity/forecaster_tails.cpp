// How latencies spread: the mixtures behind a forecast's percentiles.
#include <algorithm>
#include <cmath>

#include "model/capacity/forecaster.hpp"
#include "model/capacity/percentiles.hpp"
#include "model/capacity/state_groups.hpp"
#include "model/capacity/waiting.hpp"

namespace plimsoll {
namespace {

double squared(double x) {
    return x * x;
}

/// s a step, mean over answers of so many steps.
double stalls_a_step(const Stalls& stalls, double steps) {
    return stalls.over(steps).value() / steps;
}

}  // namespace

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
