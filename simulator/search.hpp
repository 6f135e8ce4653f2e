#pragma once
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "model/base/error.hpp"
#include "simulator/replications.hpp"
#include "simulator/statistics.hpp"

namespace plimsoll {

struct SearchResult;

/// What is looked for, and with how much work.
struct SearchSettings {
    double least = 1;                      ///< load below which there is no answer
    double most = 1e6;                     ///< load above which nobody asks
    double guess = 1;                      ///< where to begin: the planner's answer saves runs
    bool whole = true;                     ///< users; otherwise a rate
    double tolerance = 0.01;               ///< relative, of a rate (and of users, above one user)
    std::uint32_t replications = 4;        ///< of each load at first ...
    std::uint32_t most_replications = 16;  ///< ... and where it is not clear on which side of the limit the load lies
    std::uint32_t threads = 1;
    const std::atomic<bool>* stop = nullptr;             ///< once true the search ends with what it knows
    std::function<void(const SearchResult&)> tell = {};  ///< hears of every load that has been tried; may be empty
};

/// What the replications said of one load: the ratio of latency to limit, above 1 when a promise is broken.
struct Trial {
    double load = 0;
    std::vector<double> ratios;  ///< of each replication
    Estimate ratio;
};

struct SearchResult {
    double highest = 0;  ///< load at which the mean ratio is still at most 1; `least` fails: 0
    Interval ci95;       ///< highest load that surely holds, lowest that surely breaks (0, or `most`, if none was met)
    bool reached_most = false;  ///< even `most` holds
    std::vector<Trial> trials;  ///< by load
    std::uint32_t runs = 0;
    bool interrupted = false;  ///< by `stop`: of the loads that were tried, the outermost that surely hold and break
};

/// The highest load at which the promises hold, for `double run(double load, std::uint32_t replication)`, the ratio of
/// one simulated run. Replication i has the same seed at every load (common random numbers), so that noise moves the
/// whole curve of a replication and hardly its slope.
///
/// Three bisections share their trials: on the mean ratio for the answer, on the upper and the lower end of its 95 %
/// interval for those of the answer. A load is run again with more seeds until its interval leaves 1 out or the limit
/// is reached. Ratios count up to 10, since those of an overloaded run say only how long it was.
template <class Run>
class LoadSearch {
  public:
    LoadSearch(SearchSettings settings, Run run) : settings_(std::move(settings)), run_(std::move(run)) {
        PLIMSOLL_ASSERT(settings_.least > 0 && settings_.least <= settings_.most && settings_.replications >= 2);
    }

    SearchResult search() {
        try {
            find();
        } catch (const Stopped&) {
            tell_what_is_known();
        }
        return result_;
    }

  private:
    struct Stopped {};

    void find() {
        const std::optional<double> answer = edge([](const Trial& t) { return t.ratio.value <= 1.0; }, settings_.guess);
        result_.highest = answer.value_or(0.0);
        result_.reached_most = result_.highest == settings_.most;
        const double around = answer.value_or(settings_.least);
        result_.ci95.low = edge([](const Trial& t) { return t.ratio.high() <= 1.0; }, around).value_or(0.0);
        // The last load that may hold; the next step of the grid surely breaks.
        const std::optional<double> may = edge([](const Trial& t) { return t.ratio.low() <= 1.0; }, around);
        result_.ci95.high = may ? std::min(settings_.most, *may + step(*may)) : settings_.least;
    }

    void tell_what_is_known() {
        result_.interrupted = true;
        result_.highest = result_.ci95.low = 0.0;
        result_.ci95.high = settings_.most;
        for (const Trial& t : result_.trials) {
            if (t.ratio.value <= 1.0) result_.highest = t.load;
            if (t.ratio.high() <= 1.0) result_.ci95.low = t.load;
            if (t.ratio.low() > 1.0) result_.ci95.high = std::min(result_.ci95.high, t.load);
        }
    }

    [[nodiscard]] double step(double load) const {
        const double relative = load * settings_.tolerance;
        return settings_.whole ? std::max(1.0, std::floor(relative)) : relative;
    }
    [[nodiscard]] double on_grid(double load) const {
        return std::clamp(settings_.whole ? std::round(load) : load, settings_.least, settings_.most);
    }

    /// Highest load for which `holds`, to within a step: a bracket by doubling the distance from the guess, then
    /// bisection. Nothing when `least` does not hold.
    template <class Holds>
    std::optional<double> edge(Holds holds, double guess) {
        double low = on_grid(guess), high = low;
        double stride = std::max(step(low), 0.05 * low);
        if (holds(trial(low))) {
            while (true) {
                if (low >= settings_.most) return settings_.most;
                high = on_grid(low + stride);
                if (!holds(trial(high))) break;
                low = high;
                stride *= 2.0;
            }
        } else {
            while (true) {
                high = low;
                if (low <= settings_.least) return std::nullopt;
                low = on_grid(std::max(low - stride, low / 4.0));
                if (holds(trial(low))) break;
                stride *= 2.0;
            }
        }
        while (high - low > step(low) * 1.000001) {
            const double middle = on_grid(0.5 * (low + high));
            (holds(trial(middle)) ? low : high) = middle;
        }
        return low;
    }

    const Trial& trial(double load) {
        auto at = std::lower_bound(result_.trials.begin(), result_.trials.end(), load,
                                   [](const Trial& t, double value) { return t.load < value; });
        if (at == result_.trials.end() || at->load != load) {
            at = result_.trials.insert(at, Trial{.load = load, .ratios = {}, .ratio = {}});
            add_runs(*at, settings_.replications);
            while (at->ratios.size() < settings_.most_replications && at->ratio.low() <= 1.0 && at->ratio.high() > 1.0)
                add_runs(*at, std::min<std::uint32_t>(
                                  static_cast<std::uint32_t>(at->ratios.size()),
                                  settings_.most_replications - static_cast<std::uint32_t>(at->ratios.size())));
            if (settings_.tell) settings_.tell(result_);
        }
        return *at;
    }

    void add_runs(Trial& trial, std::uint32_t count) {
        constexpr double most_ratio = 10.0;
        const auto first = static_cast<std::uint32_t>(trial.ratios.size());
        const std::vector<double> ratios =
            replicate(count, settings_.threads, [&](std::uint32_t i) { return run_(trial.load, first + i); });
        if (settings_.stop != nullptr && settings_.stop->load()) {
            // What a run says that was cut short is worth nothing; what is known of the load by then stays.
            if (first == 0) result_.trials.erase(result_.trials.begin() + (&trial - result_.trials.data()));
            throw Stopped{};
        }
        for (const double ratio : ratios) trial.ratios.push_back(std::min(ratio, most_ratio));
        trial.ratio = mean_of(trial.ratios);
        result_.runs += count;
    }

    SearchSettings settings_;
    Run run_;
    SearchResult result_;
};

template <class Run>
[[nodiscard]] SearchResult highest_load(const SearchSettings& settings, Run run) {
    return LoadSearch<Run>(settings, std::move(run)).search();
}

}  // namespace plimsoll
