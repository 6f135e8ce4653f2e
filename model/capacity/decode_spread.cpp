#include "model/capacity/decode_spread.hpp"

#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>

#include "model/base/error.hpp"

namespace plimsoll {
namespace {

using Complex = std::complex<double>;

/// E[exp(-i x S)] of stays with the mean 1.
Complex transform(double x, double cv2) {
    constexpr double narrow = 1e-4;
    if (cv2 < narrow) return std::polar(1.0, -x);
    return std::pow(Complex(1.0, x * cv2), -1.0 / cv2);
}

}  // namespace

DecodeSpread::DecodeSpread(const Flow& flow) {
    PLIMSOLL_ASSERT(flow.rate > PerSecond(0) && flow.stay > Seconds(0));
    constexpr int points = 96;
    // A step grows by less than in proportion to those who share it.
    constexpr double most_of_step = 0.95;
    const double rate = flow.rate.value(), stay = flow.stay.value(), present = rate * stay;
    const double rho = std::min(flow.prefill_share, most_of_step), alone = 1.0 - rho, lost = rho / rate / alone;
    const double slope = std::clamp(flow.slope, 0.0, most_of_step / present);
    const double context = std::clamp(flow.context_slope, 0.0, slope);
    const double back = flow.think > Seconds(0) ? 1.0 / flow.think.value() : 0.0;
    const double pull = slope - lost * back;  // of one request more on v
    white_ = rate * lost * lost * (1.0 + flow.prompt_cv2);
    points_.reserve(points);
    for (int i = 0; i < points; ++i) {
        // x = tan(angle) covers all frequencies; most of the power lies at one over the stay.
        const double angle = 0.5 * std::numbers::pi * (i + 0.5) / points, x = std::tan(angle);
        const double width = 0.5 * std::numbers::pi / points * (1.0 + x * x) / stay;
        const Complex phi = transform(x, flow.stay_cv2), h = stay * (1.0 - phi) / Complex(0.0, x);
        const double of_one = stay * stay * 2.0 * (1.0 - phi.real()) / (x * x);  // E |H_S|^2
        const Complex d = 1.0 - rate * slope * h + h * back / alone;
        const Complex n = h / alone / d, n_long = (rho / alone * h + rate * context * h * h) / d;
        const double apart = (of_one - std::norm(h)) / std::norm(d);  // by stays of different lengths
        const double power = std::norm(lost + pull * n) + pull * pull * apart +
                             flow.prompt_cv2 * std::norm(lost + pull * n_long + context * h);
        points_.push_back({x / stay, (rate * power - white_) * width / std::numbers::pi});
    }
}

SecondsSquared DecodeSpread::variance(Seconds time) const {
    double sum = white_ * time.value();
    for (const Point& point : points_) {
        const double window = 2.0 * std::sin(0.5 * point.frequency * time.value()) / point.frequency;
        sum += window * window * point.excess;
    }
    return SecondsSquared(std::max(0.0, sum));
}

}  // namespace plimsoll
