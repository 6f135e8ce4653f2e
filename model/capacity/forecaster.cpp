#include "model/capacity/forecaster.hpp"

#include <algorithm>
#include <variant>

namespace plimsoll {

Forecaster::Forecaster(const InstanceModel& model) : model_(&model), bunching_(model), tails_(model) {
    if (model.batches() != nullptr) static_.emplace(model);
}

Forecaster::Means Forecaster::means(const SteadyState& steady) const {
    Means result;
    result.wait = steady.mean_wait * ((1.0 + model_->workload().output.cv2()) / 2.0);
    double tokens = 0, own = 0;
    steady.present.by_groups([&](double weight, double n) {
        if (n < 0.5) return;
        const InstanceState state = model_->at(n);
        result.decoding += weight * state.decoding * std::min(1.0, n);
        const double rate = weight * state.decoding / state.token_interval.value();
        tokens += rate * state.token_interval.value();
        own += rate * state.own_interval.value();
    });
    const double steps = model_->decode_steps();
    // An answer of one token has no interval.
    const Seconds lone = steps > 0 ? model_->at(1).token_interval : Seconds(0);
    const double throughput = steady.throughput.value();
    const Seconds interval = throughput > 0 && steps > 0 ? Seconds(result.decoding / (throughput * steps)) : lone;
    result.tpot = tokens > 0 && steps > 0 ? interval * (own / tokens) : lone;
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

Forecast Forecaster::closed(std::size_t users, Seconds think_time, Detail detail) {
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
    const Seconds longer = (m.ttft - tails_.own_prefill()) * (wave.amplified - 1.0) + wave.wait;
    const double steps = std::max(1.0, model_->decode_steps());
    const Seconds moved = std::clamp(longer, Seconds(0), m.tpot * (0.9 * steps));
    m.ttft += moved;
    m.tpot -= moved / steps;
    fill(steady, m, forecast);
    if (detail == Detail::percentiles) tails_.read(steady, think_time, wave, forecast.latencies);
    return forecast;
}

Forecast Forecaster::open(PerSecond rate, Detail detail) {
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
    if (detail == Detail::percentiles) tails_.read(steady, Seconds(0), {}, forecast.latencies);
    return forecast;
}

}  // namespace plimsoll
