#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace plimsoll {

/// The law of a positive quantity (tokens of a prompt, seconds of thinking), held as equally likely quantile points.
/// The stated mean is that of the law after clamping to `min` and `max`.
class Distribution {
  public:
    Distribution() : Distribution(fixed(0.0)) {}
    [[nodiscard]] static Distribution fixed(double value);
    [[nodiscard]] static Distribution uniform(double least, double most);

    /// "900", "fixed:900", "uniform:min=1,max=9", "lognormal:mean=900,cv=1,max=4096", "gamma:mean=..,cv=..",
    /// "geometric:mean=..", "exponential:mean=..": token counts without a unit, at least 1. Lengths are not rounded to
    /// whole tokens; a geometric law is held as the exponential one of its mean.
    [[nodiscard]] static Distribution parse_tokens(std::string_view text, const std::string& place);
    /// The same with a time unit on every value ("2s", "uniform:min=1s,max=3s"), at least 0 s.
    [[nodiscard]] static Distribution parse_seconds(std::string_view text, const std::string& place);

    /// The same shape with every value scaled to another mean.
    [[nodiscard]] Distribution with_mean(double mean) const;
    /// Every value larger by the same.
    [[nodiscard]] Distribution shifted(double by) const;
    /// What is drawn from one of several laws by their weights (above 0, of any sum). Each point is the mean of its
    /// share of the values, so that the mean is exact.
    [[nodiscard]] static Distribution pooled(const std::vector<std::pair<double, Distribution>>& parts);

    [[nodiscard]] double mean() const { return mean_; }
    [[nodiscard]] double second_moment() const { return second_moment_; }
    /// Squared coefficient of variation.
    [[nodiscard]] double cv2() const { return mean_ > 0 ? second_moment_ / (mean_ * mean_) - 1.0 : 0.0; }
    /// Value not exceeded with probability u, 0 <= u <= 1, interpolated between the points.
    [[nodiscard]] double quantile(double u) const;
    [[nodiscard]] const std::vector<double>& points() const { return points_; }
    /// The text that it was read from.
    [[nodiscard]] const std::string& text() const { return text_; }

  private:
    explicit Distribution(std::vector<double> points);
    std::vector<double> points_;  ///< rising, equally likely
    double mean_ = 0.0;
    double second_moment_ = 0.0;
    std::string text_;

    struct Reader;
};

}  // namespace plimsoll
