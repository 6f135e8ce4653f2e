#pragma once
#include <vector>

#include "model/base/units.hpp"
#include "model/capacity/mixture.hpp"

namespace plimsoll {

/// How far the time that decoding takes is spread about its mean when prompts share the steps of those who decode
/// (chunked prefill). Requests come as a Poisson process; each takes w from everybody for its prompt and then, as one
/// more in the batch, makes every step longer. Both add up: who meets many prompts has many beside himself later, and
/// long answers keep more requests present. To first order in these fluctuations (linear response of the shot noise,
/// Campbell's theorem), with H(f) the transform of the share of stays that last, an arrival of a stay S with the
/// transform H_S and a prompt of (1 + e) times the mean makes
///
///   n D = H_S + rho / (1 - rho) (1 + e) H + lambda kappa_p H H e,   D = 1 - lambda kappa H + H / (Z (1 - rho)),
///   v = w / (1 - rho) (1 + e - n / Z) + kappa n + kappa_p H e,
///
/// n the others present, v the time lost in a unit of it; the variance of a stay T is that of v through a window of
/// length T. Without kappa and Z this is the compound Poisson law, lambda T (w / (1 - rho))^2 (1 + cv^2).
class DecodeSpread {
  public:
    struct Flow {
        PerSecond rate;            ///< lambda of requests
        Seconds stay;              ///< time from first to last token, mean
        double stay_cv2 = 0;       ///< taken as a gamma law
        double prompt_cv2 = 0;     ///< cv^2
        double prefill_share = 0;  ///< rho: of the time, that steps are longer for prompts
        double slope = 0;          ///< kappa: by what share one request more makes a step longer
        double context_slope = 0;  ///< kappa_p: the same, of a mean prompt's tokens in the cache alone
        Seconds think;             ///< Z: of the users who come back; 0 in an open load
    };
    /// The rate and the stay are above 0.
    explicit DecodeSpread(const Flow& flow);

    /// Of a decoding that takes `time` in the mean.
    [[nodiscard]] SecondsSquared variance(Seconds time) const;

  private:
    struct Point {
        double frequency;  ///< 1/s
        double excess;     ///< power of v there beyond the white one, times d(frequency) / pi
    };
    double white_;  ///< s
    std::vector<Point> points_;
};

}  // namespace plimsoll
