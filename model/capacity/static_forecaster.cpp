#include "model/capacity/static_forecaster.hpp"

#include <algorithm>
#include <cmath>

#include "model/capacity/instance_model.hpp"
#include "model/capacity/percentiles.hpp"

namespace plimsoll {
namespace {

constexpr std::size_t most_groups = 10;
/// Parts of a batch's time in which those who come are told apart.
constexpr int slices = 4;
/// What is rarer changes no percentile.
constexpr double hardly = 1e-6;

}  // namespace

StaticForecaster::StaticForecaster(const InstanceModel& model) : model_(&model), chain_(*model.batches()) {}

StaticForecaster::Means StaticForecaster::means() const {
    const BatchChain::Means& chain = chain_.means();
    double prefill = 0, interval = 0, stay = 0;
    for (const BatchChain::State& state : chain_.states()) {
        const double weight = state.probability * state.size / chain.size;
        prefill += weight * state.batch.prefill;
        if (model_->decode_steps() > 0) interval += weight * state.batch.decode_step * state.batch.stretch;
        stay += weight * state.batch.mean_time;
    }
    return {Seconds(chain.wait), Seconds(chain.wait + prefill), Seconds(interval), Seconds(chain.wait + stay)};
}

void StaticForecaster::fill(const Means& means, Forecast& forecast) const {
    forecast.output_tokens_per_s = forecast.request_rate.value() * model_->workload().output.mean();
    forecast.waiting = forecast.request_rate * means.wait;
    forecast.running = forecast.request_rate * (means.e2e - means.wait);
    forecast.utilization = forecast.request_rate / model_->rates().peak();
    forecast.kv_tokens = forecast.running * model_->context();
    forecast.latencies[Metric::ttft][Statistic::mean] = means.ttft;
    forecast.latencies[Metric::tpot][Statistic::mean] = means.tpot;
    forecast.latencies[Metric::e2e][Statistic::mean] = means.e2e;
}

Forecast StaticForecaster::closed(std::size_t users, Seconds think_time, bool with_percentiles) {
    const ThinkLaw think(model_->think_shape(), think_time);
    chain_.solve(Gathering(static_cast<double>(users), think));
    const Means m = means();
    Forecast forecast;
    forecast.users = static_cast<double>(users);
    forecast.request_rate = forecast.offered_rate = static_cast<double>(users) / (think_time + m.e2e);
    fill(m, forecast);
    if (with_percentiles) percentiles(forecast.latencies);
    return forecast;
}

Forecast StaticForecaster::open(PerSecond rate, bool with_percentiles) {
    chain_.solve(Gathering(rate.value()));
    Forecast forecast;
    forecast.request_rate = forecast.offered_rate = rate;
    fill(means(), forecast);
    if (with_percentiles) percentiles(forecast.latencies);
    return forecast;
}

std::vector<StaticForecaster::Group> StaticForecaster::groups() const {
    const std::vector<BatchChain::State>& states = chain_.states();
    std::vector<Group> result;
    Group group;
    const double share = 1.0 / static_cast<double>(most_groups);
    for (std::size_t i = 0; i < states.size(); ++i) {
        const BatchChain::State& state = states[i];
        group.probability += state.probability;
        group.waiting += state.probability * state.waiting;
        group.size += state.probability * state.size;
        group.served += state.probability * state.served;
        const bool last = i + 1 == states.size();
        const bool full = states.size() <= most_groups || group.probability >= share ||
                          (group.probability > hardly && i % ((states.size() + most_groups - 1) / most_groups) == 0);
        if (!full && !last) continue;
        if (group.probability > hardly) {
            group.waiting /= group.probability, group.size /= group.probability, group.served /= group.probability;
            result.push_back(group);
        }
        group = {};
    }
    return result;
}

/// A request that has waited and goes with about so many.
void StaticForecaster::add_request(double weight, double wait, double variance, double size, double size_variance) {
    const StaticBatch& batches = chain_.batches();
    const StaticBatch::Batch batch = batches.of(size), more = batches.of(size + 1.0), less = batches.of(size - 1.0);
    const double prefill_slope = (more.prefill - less.prefill) / 2.0;
    const double time_slope = (more.mean_time - less.mean_time) / 2.0;
    ttft_.add(weight, Seconds(wait + batch.prefill),
              SecondsSquared(variance + batch.prefill_variance + prefill_slope * prefill_slope * size_variance));
    for (std::size_t i = 0; i < StaticBatch::shares.size(); ++i)
        e2e_.add(weight * StaticBatch::shares[i], Seconds(wait + batch.time[i]),
                 SecondsSquared(variance + batch.prefill_variance + time_slope * time_slope * size_variance));
}

void StaticForecaster::add_waits(const Group& from) {
    const StaticBatch& batches = chain_.batches();
    const Gathering& gathering = chain_.gathering();
    const StaticBatch::Batch batch = batches.of(from.size), full = batches.of(batches.limit());
    const double left = from.waiting - from.size;
    const double at_once = gathering.at_once(from.size);
    double full_variance = 0;
    for (std::size_t i = 0; i < StaticBatch::shares.size(); ++i) {
        const double off = full.time[i] - full.mean_time;
        full_variance += StaticBatch::shares[i] * off * off;
    }
    for (int s = 0; s < slices && at_once > hardly; ++s) {
        const double batches_ahead = std::floor((left + at_once * (s + 0.5) / slices) / batches.limit());
        const double size = std::min(batches.limit(), left + at_once);
        add_request(from.probability * at_once / slices, batches_ahead * full.mean_time, batches_ahead * full_variance,
                    size, 0.0);
    }
    for (std::size_t i = 0; i < StaticBatch::shares.size(); ++i) {
        const double time = batch.time[i];
        const Gathering::Coming coming = gathering.within(time, from.waiting, from.served);
        for (const Gathering::Crowd& crowd : {coming.fresh, coming.others}) {
            if (crowd.mean() <= hardly) continue;
            // The others who come, the request itself not counted.
            const double own = gathering.closed() ? std::min(1.0, crowd.count) * crowd.back : 0.0;
            const double with = left + 1.0 + coming.mean() - own;
            const double spread = std::max(0.0, coming.variance - own * (1.0 - crowd.back));
            double before = gathering.time_of(0.0, crowd, time);
            for (int s = 0; s < slices; ++s) {
                const double after = gathering.time_of((s + 1.0) / slices, crowd, time);
                const double middle = gathering.time_of((s + 0.5) / slices, crowd, time);
                const double ahead = left + (coming.mean() - own) * (s + 0.5) / slices;
                const double batches_ahead = std::floor(ahead / batches.limit());
                // While it waits for whole batches as many come again.
                const double size = std::min(batches.limit(), with - batches_ahead * (batches.limit() - coming.mean()));
                const double width = after - before;
                add_request(from.probability * StaticBatch::shares[i] * crowd.mean() / slices,
                            time - middle + batches_ahead * full.mean_time,
                            width * width / 12.0 + batches_ahead * full_variance, size, spread);
                before = after;
            }
        }
    }
}

/// All of a batch end with it; the fewer tokens a request has of its own, the longer it counts for each.
void StaticForecaster::add_intervals(const Group& group) {
    const StaticBatch& batches = chain_.batches();
    const StaticBatch::Batch batch = batches.of(group.size), others = batches.of(group.size - 1.0);
    const double weight = group.probability * group.size;
    for (const StaticBatch::Answers& own : batches.answers())
        for (std::size_t i = 0; i < StaticBatch::shares.size(); ++i) {
            const double longer = group.size < 1.5 ? 1.0 : std::max(1.0, (others.longest[i] - 1.0) / own.steps);
            tpot_.add(weight * own.share * StaticBatch::shares[i], Seconds(batch.decode_step * longer));
        }
}

void StaticForecaster::percentiles(Latencies& latencies) {
    ttft_.clear(), tpot_.clear(), e2e_.clear();
    for (const Group& group : groups()) {
        add_waits(group);
        add_intervals(group);
    }
    // Who comes to an idle instance begins at once, alone.
    const double idle = chain_.means().idle;
    if (idle > hardly) add_request(idle, 0.0, 0.0, 1.0, 0.0);
    read_percentiles(ttft_, latencies[Metric::ttft][Statistic::mean], latencies[Metric::ttft]);
    read_percentiles(tpot_, latencies[Metric::tpot][Statistic::mean], latencies[Metric::tpot]);
    read_percentiles(e2e_, latencies[Metric::e2e][Statistic::mean], latencies[Metric::e2e]);
}

}  // namespace plimsoll
