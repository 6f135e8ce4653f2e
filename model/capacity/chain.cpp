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

/// Weights of any chain, from state 0 upwards. A running weight that leaves (2^-256, 2^256] is rescaled by 2^512 and a
/// segment with the next exponent begins, so that weights compare as (exponent, weight) and none is lost on the way.
template <class Arrivals>
Window sweep_upwards(const ServiceRates& rates, std::size_t last, Arrivals arrivals, ChainWorkspace& workspace) {
    constexpr double large = 0x1p256;
    constexpr double small = 0x1p-256;
    std::vector<double>& weight = workspace.present;
    auto& segments = workspace.segments;
    segments.assign(1, {0, 0});
    weight[0] = 1.0;
    int exponent = 0;
    int highest = 0;
    double w = 1.0;
    for (std::size_t n = 0; n < last && w > 0.0; ++n) {
        w *= arrivals(n) * rates.time(n + 1);
        if (w > large || w <= small) {
            exponent += w > large ? 1 : -1;
            w *= w > large ? 0x1p-512 : 0x1p512;
            segments.push_back({n + 1, exponent});
            highest = std::max(highest, exponent);
        }
        weight[n + 1] = w;
        if (w == 0.0) last = n + 1;
    }
    const auto at = [&](std::size_t n) { return weight.begin() + static_cast<std::ptrdiff_t>(n); };
    std::size_t end = last + 1;
    Window kept{last, 0};
    for (std::size_t i = segments.size(); i-- > 0; end = segments[i].begin) {
        const auto [begin, power] = segments[i];
        if (power < highest - 1) {
            std::fill(at(begin), at(end), 0.0);
            continue;
        }
        if (power == highest - 1)
            for (std::size_t n = begin; n < end; ++n) weight[n] *= 0x1p-512;
        kept = {begin, std::max(kept.last, end - 1)};
    }
    const double least = *std::max_element(at(kept.first), at(kept.last + 1)) * negligible * 1e-3;
    while (weight[kept.first] < least) ++kept.first;
    while (weight[kept.last] < least) --kept.last;
    return kept;
}

/// Writes the weights of states 0 .. last into `workspace.present`; `arrivals(n)` must not increase with n.
template <class Arrivals>
Window sweep(const ServiceRates& rates, std::size_t last, Arrivals arrivals, ChainWorkspace& workspace) {
    if (workspace.present.size() < last + 1) workspace.present.resize(last + 1);
    return rates.nondecreasing() ? sweep_from_mode(rates, last, arrivals, workspace.present)
                                 : sweep_upwards(rates, last, arrivals, workspace);
}

/// Normalises the weights of a window with a geometric tail of `tail_ratio` (0: none) and fills in every mean of the
/// numbers present; the throughput is the mean of mu(n).
SteadyState summarise(const ServiceRates& rates, Window window, double tail_ratio, std::vector<double>& weight) {
    const std::size_t limit = rates.served_at_once();
    double total = 0.0;
    double present = 0.0;
    double served = 0.0;
    for (std::size_t n = window.first; n <= window.last; ++n) {
        total += weight[n];
        present += static_cast<double>(n) * weight[n];
        served += rates.rate(n) * weight[n];
    }
    double waiting = 0.0;
    for (std::size_t n = std::max(window.first, limit); n <= window.last; ++n)
        waiting += static_cast<double>(n - limit) * weight[n];
    double tail = 0.0;
    if (tail_ratio > 0.0) {
        const double beyond = 1.0 / (1.0 - tail_ratio);
        tail = weight[window.last] * tail_ratio * beyond;
        present += tail * (static_cast<double>(window.last) + beyond);
        served += tail * rates.saturated().value();
        if (limit <= window.last)
            waiting += tail * (static_cast<double>(window.last - limit) + beyond);
        else
            waiting += tail * std::pow(tail_ratio, static_cast<double>(limit - window.last)) * beyond;
        total += tail;
    }
    const double scale = 1.0 / total;
    for (std::size_t n = window.first; n <= window.last; ++n) weight[n] *= scale;

    SteadyState state;
    state.throughput = PerSecond(served * scale);
    state.mean_present = present * scale;
    state.mean_waiting = waiting * scale;
    state.mean_in_service = state.mean_present - state.mean_waiting;
    state.present = {window.first,
                     {weight.data() + window.first, window.last - window.first + 1},
                     tail * scale,
                     tail > 0.0 ? tail_ratio : 0.0};
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
