#include <algorithm>
#include <array>
#include <cmath>

#include "model/capacity/forecaster.hpp"

namespace plimsoll {
namespace {

using Causes = std::array<Seconds, constraint_names.size()>;

Seconds& of(Causes& causes, Constraint constraint) {
    return causes[static_cast<std::size_t>(constraint)];
}

void add_ttft_causes(const InstanceModel& model, const Forecast& forecast, Causes& causes) {
    const InstanceState state = model.at(forecast.running);
    // Nobody joins a static batch: as long as it is not full those who wait do so for its end, not for a place.
    const bool full = model.batches() == nullptr || forecast.running > 0.9 * model.batch_limit();
    const Constraint limit = !full                       ? Constraint::ttft_wait
                             : model.limited_by_memory() ? Constraint::kv_memory
                                                         : Constraint::sequence_limit;
    if (forecast.request_rate > PerSecond(0)) of(causes, limit) += forecast.waiting / forecast.request_rate;
    of(causes, Constraint::ttft_wait) += state.admission;
    of(causes, Constraint::prefill) += state.prefill;
}

void add_tpot_causes(const InstanceModel& model, const Forecast& forecast, double tokens, Causes& causes) {
    const InstanceState state = model.at(forecast.running);
    const double decoding = std::max(1.0, state.decoding);
    const StepParts parts =
        model.cost().parts({.decode_sequences = decoding, .context_tokens = decoding * model.context()});
    of(causes, Constraint::prefill) += (state.token_interval - state.decode_step) * tokens;
    const Seconds gpu = parts.compute + parts.weights_read + parts.kv_read + parts.communication + parts.launch;
    const Seconds serial = parts.host_serial, both = model.cost().overlap().time(gpu, parts.host_launches);
    // Where launching takes longer than the GPU, the GPU's own work is hidden behind the host.
    if (parts.host_launches > gpu) {
        of(causes, Constraint::host) += (both + serial) * tokens;
        return;
    }
    of(causes, Constraint::compute) += parts.compute * tokens;
    of(causes, Constraint::decode_bandwidth) += (parts.weights_read + parts.kv_read) * tokens;
    of(causes, Constraint::communication) += parts.communication * tokens;
    of(causes, Constraint::host) += (parts.launch + serial + both - gpu) * tokens;
}

bool needs_percentiles(const Slo& slo) {
    return std::any_of(slo.terms.begin(), slo.terms.end(),
                       [](const SloTerm& term) { return term.statistic != Statistic::mean; });
}

/// Bisection stops at this share of the saturated rate.
constexpr double rate_share = 5e-4;

}  // namespace

void name_constraints(const InstanceModel& model, const Slo& slo, Forecast& forecast) {
    const SloTerm* nearest = nullptr;
    double worst = -1;
    for (const SloTerm& term : slo.terms) {
        if (forecast.overloaded) break;
        const double ratio = forecast.latencies[term.metric][term.statistic] / term.limit;
        if (ratio > worst) nearest = &term, worst = ratio;
    }
    Causes causes{};
    if (nearest == nullptr || nearest->metric != Metric::tpot) add_ttft_causes(model, forecast, causes);
    if (nearest == nullptr || nearest->metric != Metric::ttft)
        add_tpot_causes(model, forecast,
                        nearest != nullptr && nearest->metric == Metric::e2e ? model.decode_steps() : 1.0, causes);
    const auto largest = std::max_element(causes.begin(), causes.end());
    forecast.binding = static_cast<Constraint>(largest - causes.begin());
    *largest = Seconds(-1);
    forecast.next = static_cast<Constraint>(std::max_element(causes.begin(), causes.end()) - causes.begin());
}

double most_users_within(Forecaster& forecaster, Seconds think_time, const Slo& slo, double most_users) {
    const Detail detail = needs_percentiles(slo) ? Detail::percentiles : Detail::means;
    const auto holds = [&](std::size_t users) {
        return forecaster.closed(users, think_time, detail).latencies.worst_ratio(slo) <= 1.0;
    };
    const auto limit = static_cast<std::size_t>(std::max(1.0, most_users));
    std::size_t good = 0, bad = 1;
    while (bad <= limit && holds(bad)) {
        good = bad;
        bad = 2 * bad;
    }
    bad = std::min(bad, limit + 1);
    while (bad - good > 1) {
        const std::size_t middle = (good + bad) / 2;
        (holds(middle) ? good : bad) = middle;
    }
    return static_cast<double>(good);
}

Capacity closed_capacity(Forecaster& forecaster, Seconds think_time, const Slo& slo, double most_users) {
    Capacity capacity;
    capacity.users = most_users_within(forecaster, think_time, slo, most_users);
    const auto users = static_cast<std::size_t>(std::max(1.0, capacity.users));
    capacity.forecast = forecaster.closed(users, think_time, Detail::percentiles);
    capacity.rate = capacity.users > 0 ? capacity.forecast.request_rate : PerSecond(0);
    name_constraints(forecaster.model(), slo, capacity.forecast);
    return capacity;
}

PerSecond highest_rate_within(Forecaster& forecaster, const Slo& slo) {
    const Detail detail = needs_percentiles(slo) ? Detail::percentiles : Detail::means;
    const PerSecond most = forecaster.model().rates().saturated();
    const auto holds = [&](double share) {
        const Forecast forecast = forecaster.open(most * share, detail);
        return !forecast.overloaded && forecast.latencies.worst_ratio(slo) <= 1.0;
    };
    double good = 0.0, bad = 1.0;
    while (bad - good > rate_share) {
        const double middle = (good + bad) / 2.0;
        (holds(middle) ? good : bad) = middle;
    }
    return most * good;
}

Capacity open_capacity(Forecaster& forecaster, const Slo& slo) {
    Capacity capacity;
    capacity.rate = highest_rate_within(forecaster, slo);
    const PerSecond least = forecaster.model().rates().saturated() * rate_share;
    capacity.forecast = forecaster.open(std::max(capacity.rate, least), Detail::percentiles);
    name_constraints(forecaster.model(), slo, capacity.forecast);
    return capacity;
}

}  // namespace plimsoll
