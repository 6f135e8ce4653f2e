#include "model/capacity/batch_chain.hpp"

#include <algorithm>
#include <cmath>

#include "model/base/error.hpp"

namespace plimsoll {
namespace {

/// So many states tell the whole law, more are thinned out over where it lies; but not so far that falling between two
/// of them adds much to the spread of a single batch.
constexpr double enough_states = 48, most_states = 256, share_of_spread = 0.5;
/// Standard deviations on either side of the mean beyond which nothing is left.
constexpr double reach = 7.0;
/// What is rarer changes no percentile.
constexpr double hardly = 1e-7;
constexpr int slices = 4;

/// Calls visit(probability, count) for a law of counts with this mean and variance: a binomial one, or Poisson's where
/// the variance is not below the mean; outwards from about its mode.
template <class Visit>
void by_count(double mean, double variance, Visit visit) {
    const double success = std::max(0.0, 1.0 - variance / mean);
    if (mean < hardly || success > 1.0 - 1e-6) return visit(1.0, mean);
    const bool poisson = success < 1e-6;
    const double trials = poisson ? 0.0 : mean / success, odds = success / (1.0 - success);
    const auto ratio = [&](double k) { return poisson ? mean / (k + 1.0) : (trials - k) / (k + 1.0) * odds; };
    const double mode = std::floor(mean);
    double total = 1, first_moment = mode;
    const auto walk = [&](auto each) {
        double weight = 1;
        for (double k = mode; (weight *= ratio(k)) > hardly; k += 1.0) each(weight, k + 1.0);
        weight = 1;
        for (double k = mode; k > 0 && (weight /= ratio(k - 1.0)) > hardly; k -= 1.0) each(weight, k - 1.0);
    };
    walk([&](double weight, double k) { total += weight, first_moment += weight * k; });
    // Where the trials are not a whole number their law is a little off its mean.
    const double shift = mean - first_moment / total;
    visit(1.0 / total, mode + shift);
    walk([&](double weight, double k) { visit(weight / total, k + shift); });
}

}  // namespace

Gathering::Coming Gathering::within(double time, double waiting, double served) const {
    Coming coming;
    if (!closed()) {
        coming.others = {rate_ * time, 1.0, false};
        coming.variance = rate_ * time;
        return coming;
    }
    const double thinking = std::max(0.0, users_ - waiting);
    coming.fresh = {std::min(served, thinking), think_->back(time), true};
    coming.others = {thinking - coming.fresh.count, think_->back(time, age_), false};
    for (const Crowd& crowd : {coming.fresh, coming.others}) coming.variance += crowd.mean() * (1.0 - crowd.back);
    return coming;
}

bool Gathering::memoryless() const {
    if (!closed()) return true;
    constexpr double same = 0.02;
    const double z = think_->mean();
    return std::abs(think_->back(z) - think_->back(z, z)) < same;
}

double Gathering::time_of(double u, const Crowd& crowd, double time) const {
    if (!closed()) return u * time;
    const double at = crowd.fresh ? think_->within(u * crowd.back) : think_->within(u * crowd.back, age_);
    return std::min(at, time);
}

BatchChain::Drift BatchChain::drift(double waiting) const {
    const double size = std::min(waiting, batches_->limit());
    const StaticBatch::Batch batch = batches_->of(size);
    Drift drift;
    double square = 0;
    for (std::size_t i = 0; i < StaticBatch::shares.size(); ++i) {
        const Gathering::Coming coming = gathering_->within(batch.time[i], waiting, size);
        const double next = waiting - size + gathering_->at_once(size) + coming.mean();
        drift.next += StaticBatch::shares[i] * next;
        square += StaticBatch::shares[i] * (next * next + coming.variance);
    }
    drift.variance = square - drift.next * drift.next;
    return drift;
}

/// The states on both sides of the start that repeats itself in the mean, as far as a linear law around it reaches.
void BatchChain::choose_states() {
    const double limit = batches_->limit();
    const bool closed = gathering_->closed();
    double low = 1.0, high = closed ? gathering_->users() : 1.0;
    if (!closed)
        while (drift(high).next > high) high *= 2.0;
    while (high - low > 1e-3 * high) {
        const double middle = (low + high) / 2.0;
        (drift(middle).next > middle ? low : high) = middle;
    }
    const double mean = (low + high) / 2.0, size = std::min(mean, limit);
    const double time = batches_->of(size).mean_time;
    gathering_->set_age(time);
    const double served = size * (1.0 - std::exp(-gathering_->within(time, mean, size).mean()));
    const double step = std::max(0.5, 0.05 * mean);
    const double slope =
        (drift(mean + step).next - drift(std::max(1.0, mean - step)).next) / (mean + step - std::max(1.0, mean - step));
    const double kept = std::clamp(slope, -0.95, 0.98);
    const double width = reach * std::sqrt((drift(mean).variance + 1.0) / (1.0 - kept * kept)) + 2.0;
    double first = std::max(1.0, std::floor(mean - width)), last = std::ceil(mean + width);
    // Beyond a full batch an open load falls back by what a batch takes more than comes: a geometric tail.
    if (!closed) {
        const Drift full = drift(2.0 * limit);
        last = std::max(last, limit + width + 6.0 * full.variance / std::max(1e-9, 2.0 * limit - full.next));
    } else {
        last = std::min(last, gathering_->users());
        if (gathering_->users() <= enough_states) first = 1.0, last = gathering_->users();
    }
    const double range = last - first, spread = std::sqrt(drift(mean).variance);
    const double distance =
        std::max({1.0, range / most_states, std::min(range / enough_states, share_of_spread * spread)});
    states_.clear();
    for (double waiting = first; waiting < last + 0.5 * distance; waiting += distance) {
        const double b = std::min(waiting, limit);
        states_.push_back({waiting, 0.0, b, served, batches_->of(b)});
    }
}

/// Onto the states next to it, so that the mean stays.
void BatchChain::deposit(std::size_t row, double weight, double next) {
    const std::size_t size = states_.size();
    if (next < 1.0) {
        idle_[row] += weight * std::min(1.0, 1.0 - next);
        next = 1.0;
    }
    const double distance = size > 1 ? states_[1].waiting - states_[0].waiting : 1.0;
    const double place = std::clamp((next - states_[0].waiting) / distance, 0.0, static_cast<double>(size - 1));
    const auto below = std::min(static_cast<std::size_t>(place), size - 1);
    const double share = place - static_cast<double>(below);
    matrix_[row * size + below] += weight * (1.0 - share);
    if (share > 0) matrix_[row * size + below + 1] += weight * share;
}

void BatchChain::fill_row(std::size_t row) {
    const State& from = states_[row];
    const double stay = from.waiting - from.size + gathering_->at_once(from.size);
    for (std::size_t i = 0; i < StaticBatch::shares.size(); ++i) {
        const Gathering::Coming coming = this->coming(from, from.batch.time[i]);
        by_count(coming.mean(), coming.variance, [&](double probability, double count) {
            deposit(row, StaticBatch::shares[i] * probability, stay + count);
        });
    }
}

/// Eliminates the states from the last on without a subtraction (Grassmann, Taksar, Heyman 1985).
void BatchChain::find_stationary() {
    const std::size_t size = states_.size();
    eliminated_ = matrix_;
    // Who cannot leave a set of states does so now and then in a life that is not exactly alike.
    constexpr double leak = 1e-9;
    for (std::size_t k = size; k-- > 1;) {
        const double* from = &eliminated_[k * size];
        double leaving = 0;
        // Where nothing leads the sums have nothing: a batch takes away its limit at the most.
        std::size_t first = 0;
        while (first < k && from[first] == 0.0) ++first;
        for (std::size_t j = first; j < k; ++j) leaving += from[j];
        leaving = std::max(leaving, leak);
        for (std::size_t i = 0; i < k; ++i) {
            double* to = &eliminated_[i * size];
            if (to[k] == 0.0) continue;
            to[k] /= leaving;
            for (std::size_t j = first; j < k; ++j) to[j] += to[k] * from[j];
        }
    }
    double total = states_[0].probability = 1.0;
    for (std::size_t k = 1; k < size; ++k) {
        double sum = 0;
        for (std::size_t i = 0; i < k; ++i) sum += states_[i].probability * eliminated_[i * size + k];
        total += states_[k].probability = sum;
    }
    for (State& state : states_) state.probability /= total;
}

/// How many the batch before each start has served, from the law found.
void BatchChain::look_back() {
    const std::size_t size = states_.size();
    for (std::size_t k = 0; k < size; ++k) {
        double all = 0, served = 0;
        for (std::size_t i = 0; i < size; ++i) {
            const double weight = states_[i].probability * matrix_[i * size + k];
            all += weight;
            served += (weight - (k == 0 ? states_[i].probability * idle_[i] : 0.0)) * states_[i].size;
        }
        if (all > 0) states_[k].served = std::max(0.0, served / all);
    }
}

/// Who is left over at the start of a batch waits for all of it, who comes meanwhile for the rest.
void BatchChain::find_means() {
    means_ = {};
    for (std::size_t row = 0; row < states_.size(); ++row) {
        const State& state = states_[row];
        means_.size += state.probability * state.size;
        means_.idle += state.probability * idle_[row];
        means_.time += state.probability * state.batch.mean_time;
        means_.wait += state.probability * (state.waiting - state.size) * state.batch.mean_time;
        for (std::size_t i = 0; i < StaticBatch::shares.size(); ++i) {
            const double time = state.batch.time[i];
            const Gathering::Coming coming = this->coming(state, time);
            for (const Gathering::Crowd& crowd : {coming.fresh, coming.others})
                for (int s = 0; s < slices && crowd.mean() > 0; ++s)
                    means_.wait += state.probability * StaticBatch::shares[i] * crowd.mean() / slices *
                                   (time - gathering_->time_of((s + 0.5) / slices, crowd, time));
        }
    }
    means_.wait /= means_.size;
}

void BatchChain::solve(Gathering gathering) {
    gathering_ = gathering;
    choose_states();
    const std::size_t size = states_.size();
    const int passes = gathering_->memoryless() ? 1 : 4;
    for (int pass = 0; pass < passes; ++pass) {
        if (pass > 0) look_back();
        matrix_.assign(size * size, 0.0);
        idle_.assign(size, 0.0);
        for (std::size_t row = 0; row < size; ++row) fill_row(row);
        find_stationary();
    }
    find_means();
}

}  // namespace plimsoll
