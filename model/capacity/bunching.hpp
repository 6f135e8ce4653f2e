#pragma once
#include "model/capacity/instance_model.hpp"
#include "model/capacity/mixture.hpp"

namespace plimsoll {

/// Users in step: answers of one length that were begun together end together, and their users come back together.
///
/// While prompts are prefilled the running answers stand still (or get a token with each of a chunked engine's full
/// steps), so that all requests that begin meanwhile are as far, end at the same step, and think at the same time: the
/// next prompts come in a wave, which stops the others for longer. Over answers of s steps, in bins of s / m steps of
/// time d(n) each, with T users thinking exponentially for Z in the mean,
///
///   A = T (1 - e^(-t / Z)),  t = (s / m) d(n) + a S,  S = A, or what there is room for, in the batch and in
///   the steps of a chunked engine, of those that wait,  T' = T - A + S_m,  n' = n + S - S_m,
///
/// where S_m began m bins before and a is what a prompt takes from the others. From all users in step this fluid either
/// ends in a wave that keeps itself up, or its swings fall by a factor r each time round; then chance, which makes
/// small swings all the time, is amplified to 1 / (1 - r^2) of its variance (autoregression of order 1), and with it
/// the wait, which grows with the variance of the arrivals. Answers whose lengths differ by a twentieth end such waves.
class Bunching {
  public:
    explicit Bunching(const InstanceModel& model);

    /// Whether the engine and the load can fall into step: answers of one length, and prompts that stop the others.
    [[nodiscard]] bool possible() const { return possible_; }

    struct Wave {
        double amplified = 1.0;  ///< waits without it, times this
        Mixture waits;           ///< beside them, for the wave; empty: none
        Seconds wait, stop;      ///< mean of `waits`; how long a wave's prompts take
    };
    /// `rate`: requests that they send if they are not in step.
    [[nodiscard]] Wave wave(std::size_t users, Seconds think_time, PerSecond rate) const;

  private:
    static constexpr std::size_t bins = 48;
    struct Fluid;
    [[nodiscard]] double coming(const Fluid& fluid, double decode, double most) const;
    void pass(Fluid& fluid, std::size_t bin, Mixture* waits) const;
    static void begin(Fluid& fluid, double requests, double interval, Mixture* waits);

    bool possible_ = false, chunked_ = false;
    double prompts_a_step_ = 0;  ///< of a chunked engine
    double steps_ = 0, each_ = 0;
    double step_alone_ = 0, step_more_ = 0;  ///< d(n) = alone + n more, s
    double places_ = 0;
};

}  // namespace plimsoll
