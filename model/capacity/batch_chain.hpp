#pragma once
#include <optional>
#include <vector>

#include "model/capacity/static_batch.hpp"
#include "model/capacity/think_law.hpp"

namespace plimsoll {

/// Who comes while a batch runs.
class Gathering {
  public:
    /// `users` users that think.
    Gathering(double users, const ThinkLaw& think) : users_(users), think_(&think) {}
    /// Poisson arrivals, requests a second.
    explicit Gathering(double rate) : rate_(rate) {}

    /// Some who may come independently of each other: so many, each with this probability within the time; of an open
    /// load as many as come.
    struct Crowd {
        double count = 0, back = 0;
        bool fresh = false;  ///< they began to think when the batch began
        [[nodiscard]] double mean() const { return count * back; }
    };
    struct Coming {
        Crowd fresh, others;
        double variance = 0;
        [[nodiscard]] double mean() const { return fresh.mean() + others.mean(); }
    };
    /// Within the `time` of a batch at whose start `waiting` requests wait or begin; of those who think then `served`
    /// have just begun, and the others have thought for `age` or longer.
    [[nodiscard]] Coming within(double time, double waiting, double served) const;
    /// Of those who get their answers with a batch so many are back at once and may go with the next.
    [[nodiscard]] double at_once(double served) const { return closed() ? served * think_->back(0.0) : 0.0; }
    /// When those of a crowd come of whom a share `u` of all that do has come, seconds after the batch's start.
    [[nodiscard]] double time_of(double u, const Crowd& crowd, double time) const;
    /// Until somebody comes to an idle instance, mean.
    [[nodiscard]] double idle() const { return think_ != nullptr ? think_->mean() / users_ : 1.0 / rate_; }
    [[nodiscard]] bool closed() const { return think_ != nullptr; }
    [[nodiscard]] double users() const { return users_; }
    void set_age(double age) { age_ = age; }
    /// Whether how long somebody has thought tells nothing of how long it still takes.
    [[nodiscard]] bool memoryless() const;

  private:
    double users_ = 0, rate_ = 0;
    const ThinkLaw* think_ = nullptr;
    double age_ = 0;
};

/// The chain of the starts of batches of an engine that lets nobody join or leave one. From a start with w requests
/// waiting, b = min(w, limit) run for T(b), whose length varies with the longest answer, and A come meanwhile: the next
/// starts with w - b + A, or, when that is none, with the first who comes (bulk service with a limit, Bailey 1954; the
/// embedded chain of Kendall 1953). Of N users N - w think and A is binomial; of an open load it is Poisson.
class BatchChain {
  public:
    struct State {
        double waiting = 0, probability = 0, size = 0;
        double served = 0;  ///< requests that the batch before has served, mean; none where the instance was idle since
        StaticBatch::Batch batch;
    };
    /// Means per batch, over the stationary law.
    struct Means {
        double size = 0, time = 0, idle = 0;  ///< `idle`: share of the batches after which nobody waits
        double wait = 0;                      ///< of all requests before their batch, s
    };

    explicit BatchChain(const StaticBatch& batches) : batches_(&batches) {}

    void solve(Gathering gathering);
    [[nodiscard]] const std::vector<State>& states() const { return states_; }
    [[nodiscard]] const Gathering& gathering() const { return *gathering_; }
    [[nodiscard]] const StaticBatch& batches() const { return *batches_; }
    [[nodiscard]] const Means& means() const { return means_; }

  private:
    /// Where the next start lies in the mean, and the deviation of it.
    struct Drift {
        double next = 0, variance = 0;
    };
    [[nodiscard]] Drift drift(double waiting) const;
    [[nodiscard]] Gathering::Coming coming(const State& from, double time) const {
        return gathering_->within(time, from.waiting, from.served);
    }
    void choose_states();
    void fill_row(std::size_t row);
    void deposit(std::size_t row, double weight, double next);
    void find_stationary();
    void look_back();
    void find_means();

    const StaticBatch* batches_;
    std::optional<Gathering> gathering_;
    std::vector<State> states_;
    std::vector<double> matrix_, eliminated_;  ///< transition probabilities, by rows
    std::vector<double> idle_;                 ///< of each state: that nobody waits when its batch ends
    Means means_;
};

}  // namespace plimsoll
