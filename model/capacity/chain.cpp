#include "model/capacity/chain.hpp"

#include <algorithm>
#include <cmath>

#include "model/base/error.hpp"

namespace plimsoll {

namespace {

/// States whose total weight is below this share of the whole are left out.
constexpr double negligible = 1e-18;

/// The states [first, last] whose weights a sweep has written.
struct Window {
    std::size_t first;
    std::size_t last;
};

/// Weights of a chain whose ratios w(n + 1) / w(n) = arrivals(n) / mu(n + 1) never increase with n: outwards from the
/// mode, where the weight is 1, until what remains is bounded by a negligible geometric series. Neither overflows.
template <class Arrivals>
Window sweep_from_mode(const ServiceRates& rates, std::size_t last, Arrivals arrivals, std::vector<double>& weight) {
    std::size_t mode = 0;
    for (std::size_t beyond = last; mode < beyond;) {
        const std::size_t middle = mode + (beyond - mode) / 2;
        if (arrivals(middle) >= rates.rate(middle + 1))
            mode = middle + 1;
        else
            beyond = middle;
    }
    double sum = weight[mode] = 1.0;
    std::size_t upper = mode;
    for (double w = 1.0; upper < last;) {
        const double ratio = arrivals(upper) * rates.time(upper + 1);
        w *= ratio;
        sum += w;
        weight[++upper] = w;
        if (w * ratio <= negligible * sum * (1.0 - ratio)) break;
    }
    std::size_t lower = mode;
    for (double w = 1.0; lower > 0;) {
        const double ratio = rates.rate(lower) / arrivals(lower - 1);
        w *= ratio;
        sum += w;
        weight[--lower] = w;
        if (w * ratio <= negligible * sum * (1.0 - ratio)) break;
    }
    return {lower, upper};
}

/// Brings the segments of [0, last] to the exponent of the highest one and cuts what is negligible at either end.
Window settle_segments(std::size_t last, ChainWorkspace& workspace) {
    std::vector<double>& weight = workspace.present;
    const auto& segments = workspace.segments;
    const auto at = [&](std::size_t n) { return weight.begin() + static_cast<std::ptrdiff_t>(n); };
    int highest = 0;
    for (const auto& segment : segments) highest = std::max(highest, segment.exponent);
    std::size_t end = last + 1;
    Window kept{last, 0};
    for (std::size_t i = segments.size(); i-- > 0; end = segments[i].begin) {
        const auto [begin, exponent] = segments[i];
        if (exponent < highest - 1) {
            std::fill(at(begin), at(end), 0.0);
            continue;
        }
        if (exponent == highest - 1)
            for (std::size_t n = begin; n < end; ++n) weight[n] *= 0x1p-512;
        kept = {begin, std::max(kept.last, end - 1)};
    }
    const double least = *std::max_element(at(kept.first), at(kept.last + 1)) * negligible * 1e-3;
    while (weight[kept.first] < least) ++kept.first;
    while (weight[kept.last] < least) --kept.last;
    return kept;
}

/// Weights of any chain, from state 0 upwards. A running weight that leaves (2^-256, 2^256] is rescaled by 2^512 and a
/// segment with the next exponent begins, so that weights compare as (exponent, weight) and none is lost on the way.
template <class Arrivals>
Window sweep_upwards(const ServiceRates& rates, std::size_t last, Arrivals arrivals, ChainWorkspace& workspace) {
    workspace.segments.assign(1, {0, 0});
    workspace.present[0] = 1.0;
    double w = 1.0;
    for (std::size_t n = 0; n < last; ++n) {
        w *= arrivals(n) * rates.time(n + 1);
        if (w > 0x1p256 || w <= 0x1p-256) {
            const bool large = w > 0x1p256;
            w *= large ? 0x1p-512 : 0x1p512;
            workspace.segments.push_back({n + 1, workspace.segments.back().exponent + (large ? 1 : -1)});
        }
        workspace.present[n + 1] = w;
        if (w == 0.0) last = n + 1;
    }
    return settle_segments(last, workspace);
}

/// Writes the weights of states 0 .. last into `workspace.present`; `arrivals(n)` must not increase with n.
template <class Arrivals>
Window sweep(const ServiceRates& rates, std::size_t last, Arrivals arrivals, ChainWorkspace& workspace) {
    if (workspace.present.size() < last + 1) workspace.present.resize(last + 1);
    return rates.nondecreasing() ? sweep_from_mode(rates, last, arrivals, workspace.present)
                                 : sweep_upwards(rates, last, arrivals, workspace);
}

/// Sums over states: weight, n, mu(n) and the number n - served_at_once of those who wait.
struct Sums {
    double weight = 0.0;
    double present = 0.0;
    double served = 0.0;
    double waiting = 0.0;
};

Sums sums_over(const ServiceRates& rates, Window window, const std::vector<double>& weight) {
    const std::size_t limit = rates.served_at_once();
    Sums sums;
    for (std::size_t n = window.first; n <= window.last; ++n) {
        sums.weight += weight[n];
        sums.present += static_cast<double>(n) * weight[n];
        sums.served += rates.rate(n) * weight[n];
    }
    for (std::size_t n = std::max(window.first, limit); n <= window.last; ++n)
        sums.waiting += static_cast<double>(n - limit) * weight[n];
    return sums;
}

/// Adds the geometric series of the states after `last`, where mu is constant.
void add_tail(const ServiceRates& rates, std::size_t last, double tail, double ratio, Sums& sums) {
    const std::size_t limit = rates.served_at_once();
    const double beyond = 1.0 / (1.0 - ratio);
    sums.weight += tail;
    sums.present += tail * (static_cast<double>(last) + beyond);
    sums.served += tail * rates.saturated().value();
    if (limit <= last)
        sums.waiting += tail * (static_cast<double>(last - limit) + beyond);
    else
        sums.waiting += tail * std::pow(ratio, static_cast<double>(limit - last)) * beyond;
}

/// Normalises the weights of a window with a geometric tail of `tail_ratio` (0: none) and fills in every mean of the
/// numbers present; the throughput is the mean of mu(n).
SteadyState summarise(const ServiceRates& rates, Window window, double tail_ratio, std::vector<double>& weight) {
    Sums sums = sums_over(rates, window, weight);
    const double tail = weight[window.last] * tail_ratio / (1.0 - tail_ratio);
    if (tail > 0.0) add_tail(rates, window.last, tail, tail_ratio, sums);
    const double scale = 1.0 / sums.weight;
    for (std::size_t n = window.first; n <= window.last; ++n) weight[n] *= scale;

    SteadyState state;
    state.throughput = PerSecond(sums.served * scale);
    state.mean_present = sums.present * scale;
    state.mean_waiting = sums.waiting * scale;
    state.mean_in_service = state.mean_present - state.mean_waiting;
    state.present = {window.first, {weight.data() + window.first, window.last - window.first + 1}, 0.0, 0.0};
    if (tail > 0.0) {
        state.present.tail_mass = tail * scale;
        state.present.tail_ratio = tail_ratio;
    }
    state.seen_by_arrival = state.present;
    state.probability_busy = window.first > 0 ? 1.0 : 1.0 - weight[0];
    return state;
}

/// Fills in what follows from throughput, means and the distribution seen: times by Little's law.
void finish(const ServiceRates& rates, SteadyState& state) {
    state.utilisation = state.throughput / rates.peak();
    state.probability_of_waiting = state.seen_by_arrival.at_least(rates.served_at_once());
    if (state.throughput.value() > 0.0) {
        state.mean_response = state.mean_present / state.throughput;
        state.mean_wait = state.mean_waiting / state.throughput;
    } else {
        state.mean_response = Seconds(rates.time(1));
    }
}

/// What an arrival to the closed station finds: p(n) (N - n), normalised.
void see_as_arrival(std::size_t users, SteadyState& state, std::vector<double>& seen) {
    const StateDistribution& present = state.present;
    const std::size_t size = std::min(present.last() + 1, users) - std::min(present.first, users);
    if (seen.size() < size + 1) seen.resize(size + 1);
    double total = 0.0;
    for (std::size_t i = 0; i < size; ++i) {
        seen[i] = present.probability[i] * static_cast<double>(users - present.first - i);
        total += seen[i];
    }
    if (size == 0 || total == 0.0) {
        seen[0] = 1.0;
        state.seen_by_arrival = {users - 1, {seen.data(), 1}, 0.0, 0.0};
        return;
    }
    const double scale = 1.0 / total;
    for (std::size_t i = 0; i < size; ++i) seen[i] *= scale;
    state.seen_by_arrival = {present.first, {seen.data(), size}, 0.0, 0.0};
}

}  // namespace

ServiceRates::ServiceRates(std::span<const double> per_second, std::size_t served_at_once)
    : rate_(1, 0.0), time_(1, 0.0), served_at_once_(served_at_once) {
    PLIMSOLL_ASSERT(!per_second.empty() && served_at_once > 0);
    std::size_t levels = per_second.size();
    while (levels > 1 && per_second[levels - 2] == per_second[levels - 1]) --levels;
    rate_.reserve(levels + 1);
    time_.reserve(levels + 1);
    for (const double rate : per_second.first(levels)) {
        PLIMSOLL_ASSERT(rate > 0.0 && std::isfinite(rate));
        nondecreasing_ = nondecreasing_ && rate >= rate_.back();
        peak_ = std::max(peak_, rate);
        rate_.push_back(rate);
        time_.push_back(1.0 / rate);
    }
}

double StateDistribution::at_least(std::size_t n) const {
    if (n > last()) {
        if (tail_mass == 0.0) return 0.0;
        return tail_mass * std::pow(tail_ratio, static_cast<double>(n - last() - 1));
    }
    double sum = tail_mass;
    for (std::size_t i = n > first ? n - first : 0; i < probability.size(); ++i) sum += probability[i];
    return std::min(sum, 1.0);
}

SteadyState solve_closed(const ServiceRates& rates, std::size_t users, Seconds think_time, ChainWorkspace& workspace) {
    PLIMSOLL_ASSERT(think_time.value() >= 0.0 && think_time.finite());
    Window window{users, users};
    if (users == 0 || think_time.value() == 0.0) {
        if (workspace.present.size() < users + 1) workspace.present.resize(users + 1);
        workspace.present[users] = 1.0;
    } else {
        const double per_user = 1.0 / think_time.value();
        const auto arrivals = [=](std::size_t n) { return static_cast<double>(users - n) * per_user; };
        window = sweep(rates, users, arrivals, workspace);
    }
    SteadyState state = summarise(rates, window, 0.0, workspace.present);
    if (users > 0) see_as_arrival(users, state, workspace.seen);
    finish(rates, state);
    return state;
}

std::variant<SteadyState, Overload> solve_open(const ServiceRates& rates, PerSecond arrivals,
                                               ChainWorkspace& workspace) {
    PLIMSOLL_ASSERT(arrivals.value() >= 0.0 && arrivals.finite());
    if (arrivals >= rates.saturated()) return Overload{rates.saturated(), arrivals - rates.saturated()};
    const double lambda = arrivals.value();
    const std::size_t last = rates.levels();
    const Window window = sweep(
        rates, last, [=](std::size_t) { return lambda; }, workspace);
    const double tail_ratio = window.last == last ? lambda * rates.time(last) : 0.0;
    SteadyState state = summarise(rates, window, tail_ratio, workspace.present);
    state.throughput = arrivals;
    finish(rates, state);
    return state;
}

SteadyState solve_open_with_room(const ServiceRates& rates, PerSecond arrivals, std::size_t room,
                                 ChainWorkspace& workspace) {
    PLIMSOLL_ASSERT(arrivals.value() >= 0.0 && arrivals.finite() && room > 0);
    const double lambda = arrivals.value();
    const Window window = sweep(
        rates, room, [=](std::size_t) { return lambda; }, workspace);
    SteadyState state = summarise(rates, window, 0.0, workspace.present);
    const double admitted = state.throughput / arrivals;
    if (window.last == room && lambda > 0.0) {
        state.lost = arrivals * workspace.present[room];
        const std::size_t size = room - window.first;
        if (workspace.seen.size() < size + 1) workspace.seen.resize(size + 1);
        for (std::size_t i = 0; i < size; ++i) workspace.seen[i] = workspace.present[window.first + i] / admitted;
        if (size == 0) workspace.seen[0] = 1.0;
        state.seen_by_arrival = {
            size == 0 ? room - 1 : window.first, {workspace.seen.data(), std::max<std::size_t>(size, 1)}, 0.0, 0.0};
    }
    finish(rates, state);
    return state;
}

}  // namespace plimsoll
