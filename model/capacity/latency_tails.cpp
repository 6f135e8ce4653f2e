#include "model/capacity/latency_tails.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "model/capacity/percentiles.hpp"

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

}  // namespace

LatencyTails::LatencyTails(const InstanceModel& model)
    : model_(&model), answers_(answers_of(model.workload().output)), own_prefill_(prefills_of(model)) {}

std::vector<LatencyTails::Answers> LatencyTails::answers_of(const Distribution& output) {
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

/// The uniform wait for the rest of the step under way, in slices.
void LatencyTails::add_meeting(double weight, const Meetings::Kind& met, double gathered, const TimeMoments& rest) {
    constexpr int slices = 4;
    const Seconds slice = met.length / static_cast<double>(slices);
    const Seconds least = rest.mean + met.length * gathered;
    const SecondsSquared variance = rest.variance + met.variance + slice * slice / 12.0;
    for (int i = 0; i < slices; ++i)
        around_.add(weight * met.share / slices, std::max(Seconds(1e-9), least + slice * (i + 0.5)), variance);
}

void LatencyTails::ttft_mixture(const StateDistribution& seen, Seconds mean) {
    around_.clear();
    const double places = model_->batch_limit(), cv2 = model_->workload().output.cv2();
    const Seconds own = own_prefill_.mean();
    seen.by_groups([&](double weight, double n) {
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

/// How the number of requests present is spread, and what they do to each other.
struct LatencyTails::Crowd {
    double present = 0, present_square = 0;    ///< requests: mean and mean square
    double decoding = 0, decoding_square = 0;  ///< those of them that decode
    double tokens = 0;
    Stalls stalls;       ///< mean over tokens
    double stalled = 0;  ///< s a step, the same
};

LatencyTails::Crowd LatencyTails::crowd_of(const StateDistribution& present) const {
    Crowd crowd;
    present.by_groups([&](double weight, double n) {
        const InstanceState state = model_->at(n);
        const double decoding = state.decoding * std::min(1.0, n);
        crowd.decoding += weight * decoding;
        crowd.decoding_square += weight * decoding * decoding;
        crowd.present += weight * n;
        crowd.present_square += weight * n * n;
        if (n < 0.5) return;
        const double tokens = weight * state.decoding / state.token_interval.value();
        crowd.tokens += tokens;
        crowd.stalls = mix(crowd.stalls, state.stalls, tokens / crowd.tokens);
        crowd.stalled += (stalled_a_step(state.stalls) - crowd.stalled) * (tokens / crowd.tokens);
    });
    return crowd;
}

/// Of those who decode in steps that prompts share, at the mean of their number.
std::optional<DecodeSpread> LatencyTails::spread_of(const Crowd& crowd, Seconds interval, Seconds think_time) const {
    const Workload& workload = model_->workload();
    const Seconds stay = interval * model_->decode_steps();
    if (crowd.decoding <= 0 || stay <= Seconds(0)) return std::nullopt;
    const auto step = [&](double n, double more_tokens) {
        return model_->cost().decode(n, n * model_->context() + more_tokens);
    };
    // A step grows by leaps with the tiles of its products: the slope is that over the numbers that come.
    const double n = std::max(1.0, crowd.decoding), reach = std::max(1.0, 0.25 * n), low = std::max(1.0, n - reach);
    const Seconds at = step(n, 0);
    DecodeSpread::Flow flow{.rate = crowd.decoding / stay,
                            .stay = stay,
                            .stay_cv2 = workload.output.cv2(),
                            .prompt_cv2 = workload.prompt.cv2(),
                            .prefill_share = crowd.stalled / interval.value(),
                            .slope = (step(n + reach, 0) - step(low, 0)) / at / (n + reach - low),
                            .context_slope = (step(n, workload.prompt.mean()) - at) / at,
                            .think = think_time};
    // A full batch does not grow with those who wait for it.
    const double spread = (crowd.present_square - squared(crowd.present)) / squared(crowd.present);
    const double decoding = (crowd.decoding_square - squared(crowd.decoding)) / squared(crowd.decoding);
    const double growing = spread > 0 ? std::sqrt(std::clamp(decoding / spread, 0.0, 1.0)) : 1.0;
    flow.slope *= growing;
    flow.context_slope *= growing;
    return DecodeSpread(flow);
}

/// Prefills that stop everybody come in clusters with the number present. The mean over a stay of a fluctuation that
/// decays exponentially has 2 (x - 1 + e^-x) / x^2 of its variance, x the stay over the time in which the number of
/// requests forgets its state.
void LatencyTails::tpot_mixture(const StateDistribution& present, Seconds mean, Seconds stay, Seconds think_time) {
    tpot_.clear();
    paces_.clear();
    spread_.reset();
    if (model_->deployment().engine->scheduling == Scheduling::chunked) {
        const Crowd crowd = crowd_of(present);
        spread_ = spread_of(crowd, mean, think_time);
        paces_.push_back({1.0, std::max(Seconds(1e-9), mean - Seconds(crowd.stalled)), crowd.stalls});
    } else {
        const double x = 1.0 + (think_time > Seconds(0) ? stay / think_time : 0.0);
        const double keep = std::sqrt(2.0 * (x - 1.0 + std::exp(-x)) / squared(x));
        present.by_groups([&](double weight, double n) {
            if (n < 0.5) return;
            const InstanceState state = model_->at(n);
            const double kept = mean.value() + (state.own_interval - mean).value() * keep;
            paces_.push_back({weight * state.decoding / state.token_interval.value(),
                              Seconds(std::max(1e-9, kept - stalled_a_step(state.stalls))), state.stalls});
        });
    }
    for (const Pace& pace : paces_) add_stalled(pace);
}

/// s, mean over requests.
double LatencyTails::stalled_a_step(const Stalls& stalls) const {
    double stalled = 0;
    for (const Answers& a : answers_) stalled += a.share * stalls_a_step(stalls, a.steps);
    return stalled;
}

/// Of the time that so many steps take.
SecondsSquared LatencyTails::variance_over(const Pace& pace, double steps) const {
    if (!spread_) return pace.stalls.variance(steps);
    return spread_->variance(pace.alone * steps + pace.stalls.over(steps));
}

/// Of short answers some meet no stall and the others carry a whole one over few tokens.
void LatencyTails::add_stalled(const Pace& pace) {
    if (pace.stalls.one <= Seconds(0) && !spread_) return tpot_.add(pace.weight, pace.alone);
    for (const Answers& a : answers_) {
        const double own = stalls_a_step(pace.stalls, a.steps);
        const double all = variance_over(pace, a.steps).value() / squared(a.steps);
        const double variance = std::min(all, pace.stalls.variance(a.steps).value() / squared(a.steps));
        const double none = pace.stalls.none(a.steps), beside = all - variance;
        const double some = 1.0 - none, stalled = some > 0 ? own / some : 0.0;
        const double rest = some > 0 ? (variance + squared(own)) / some - squared(stalled) : 0.0;
        constexpr double hardly = 1e-6;  // what is rarer changes no percentile
        if (none > hardly) tpot_.add(pace.weight * a.share * none, pace.alone, SecondsSquared(beside));
        if (some > hardly)
            tpot_.add(pace.weight * a.share * some, pace.alone + Seconds(stalled),
                      SecondsSquared(std::max(0.0, rest) + beside));
    }
}

/// TTFT and, independent of it, the decoding of answers by their length: the longer one is, the more its stalls even
/// out, while all its tokens share the pace of its time.
void LatencyTails::e2e_mixture() {
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
            square += pace.weight * (time * time + variance_over(pace, steps).value());
        }
        mean = weight > 0 ? mean / weight : 0.0;
        const double variance = weight > 0 ? std::max(0.0, square / weight - mean * mean) : 0.0;
        decode_.add(share, Seconds(mean), SecondsSquared(mean > 0 ? variance : 0.0));
    }
    e2e_.assign_sum(ttft_, decode_);
}

/// TTFT with the waits in a wave; answers of the wave end together, and the later they began the less time they took.
void LatencyTails::read_wave(const Bunching::Wave& wave, Latencies& latencies) {
    const Seconds ttft = latencies[Metric::ttft][Statistic::mean], tpot = latencies[Metric::tpot][Statistic::mean];
    const Mixture quiet = ttft_;
    ttft_.assign_sum(quiet, wave.waits);
    ttft_.scale(ttft / ttft_.mean());
    constexpr int slices = 16;
    const Seconds spread = wave.stop / std::max(1.0, model_->decode_steps());
    tpot_.clear();
    for (int i = 0; i < slices; ++i) tpot_.add(1.0, std::max(tpot * 0.1, tpot + spread * ((i + 0.5) / slices - 0.5)));
}

void LatencyTails::read(const SteadyState& steady, Seconds think_time, const Bunching::Wave& wave,
                        Latencies& latencies) {
    const Seconds ttft = latencies[Metric::ttft][Statistic::mean], tpot = latencies[Metric::tpot][Statistic::mean];
    const Seconds waited = std::min(wave.wait, ttft * 0.99);
    ttft_mixture(steady.seen_by_arrival, ttft - waited);
    tpot_mixture(steady.present, tpot + waited / std::max(1.0, model_->decode_steps()),
                 latencies[Metric::e2e][Statistic::mean], think_time);
    e2e_mixture();
    if (!wave.waits.empty()) read_wave(wave, latencies);
    read_percentiles(ttft_, latencies[Metric::ttft][Statistic::mean], latencies[Metric::ttft]);
    read_percentiles(tpot_, latencies[Metric::tpot][Statistic::mean], latencies[Metric::tpot]);
    read_percentiles(e2e_, latencies[Metric::e2e][Statistic::mean], latencies[Metric::e2e]);
}

}  // namespace plimsoll
