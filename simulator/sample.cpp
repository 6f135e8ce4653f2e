#include "simulator/sample.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace plimsoll {
namespace {

constexpr std::size_t fewest_batches = 8;
constexpr double samples_beyond = 10;  ///< that a percentile needs
constexpr double unknown = std::numeric_limits<double>::infinity();

void join_neighbours(std::vector<double>& values) {
    const std::size_t pairs = values.size() / 2;
    for (std::size_t i = 0; i < pairs; ++i) values[i] = values[2 * i] + values[2 * i + 1];
    values.resize(pairs);
}

}  // namespace

Estimate batched_ratio(std::span<const double> numerators, std::span<const double> denominators, bool* correlated) {
    std::vector<double> above(numerators.begin(), numerators.end()), below(denominators.begin(), denominators.end());
    std::vector<double> ratios;
    for (;;) {
        ratios.clear();
        for (std::size_t i = 0; i < above.size(); ++i)
            if (below[i] > 0) ratios.push_back(above[i] / below[i]);
        // 1.645: one-sided 5 % point of the correlation of independent batches, times the root of their number.
        const bool dependent = lag_one_correlation(ratios) * std::sqrt(static_cast<double>(ratios.size())) > 1.645;
        if (correlated != nullptr) *correlated = dependent;
        if (!dependent || above.size() < 2 * fewest_batches) break;
        join_neighbours(above);
        join_neighbours(below);
    }
    Estimate estimate = ratio_of(above, below);
    if (above.size() < fewest_batches) estimate.half_width = unknown;
    return estimate;
}

Sample::Sample(std::size_t most_exact) : coarse_(std::size_t{Batches::most} * coarse_count), most_exact_(most_exact) {
    exact_.reserve(most_exact);
}

void Sample::add_many(double first, double growth, std::uint64_t count, std::uint64_t weight) {
    if (count == 0 || weight == 0) return;
    const auto n = static_cast<double>(count);
    totals_[batch_].sum += static_cast<double>(weight) * (n * first + growth * (0.5 * n * (n - 1.0)));
    std::uint64_t* const coarse = coarse_.data() + std::size_t{batch_} * coarse_count;
    fine_.add_progression(first, growth, count, weight,
                          [&](std::uint32_t bucket, std::uint64_t times) { coarse[coarse_of(bucket)] += times; });
    totals_[batch_].count += count * weight;
    added_ += count * weight;
}

void Sample::join_batches(std::uint32_t mark) {
    while (marks_.size() <= mark) marks_.emplace_back();
    marks_[mark].fine = fine_;
    marks_[mark].exact = exact_.size();
    for (std::size_t i = 0; i < Batches::most; ++i) {
        const std::size_t from = i * coarse_count, to = i / 2 * coarse_count;
        if (i == 0) continue;
        for (std::size_t j = 0; j < coarse_count; ++j) {
            const std::uint64_t moved = coarse_[from + j];
            coarse_[from + j] = 0;
            coarse_[to + j] += moved;
        }
        const Totals moved = totals_[i];
        totals_[i] = {};
        totals_[i / 2].sum += moved.sum;
        totals_[i / 2].count += moved.count;
    }
    batch_ = Batches::most / 2;
}

void Sample::clear() {
    fine_.clear();
    std::fill(coarse_.begin(), coarse_.end(), 0);
    totals_ = {};
    exact_.clear();
    added_ = 0;
    batch_ = 0;
}

double Sample::below(std::uint32_t batch, double value) const {
    const std::uint64_t* const counts = coarse_.data() + std::size_t{batch} * coarse_count;
    const std::uint32_t last = coarse_of(LogBuckets::of(value));
    std::uint64_t sum = 0;
    for (std::uint32_t i = 0; i < last; ++i) sum += counts[i];
    const std::uint32_t bucket = last == 0 ? 0 : ((last - 1) << coarse_shift) + 1;
    const double least = LogBuckets::least(bucket);
    const double width = (last == 0 ? LogBuckets::least(1) : LogBuckets::least(bucket + (1U << coarse_shift))) - least;
    return static_cast<double>(sum) + static_cast<double>(counts[last]) * std::clamp((value - least) / width, 0.0, 1.0);
}

PercentileEstimate Sample::percentile(double q, const Batches& batches, const LogHistogram& fine,
                                      std::span<double> exact) const {
    const auto at = [&](double u) { return exact.empty() ? fine.quantile(u) : exact_quantile(exact, u); };
    PercentileEstimate result{.value = at(q), .ci95 = {-unknown, unknown}};
    result.few = static_cast<double>(fine.count()) * (1.0 - q) < samples_beyond;
    std::vector<double> above, counts;
    for (std::uint32_t i = batches.cut; i < batches.complete; ++i) {
        above.push_back(below(i, result.value));
        counts.push_back(static_cast<double>(totals_[i].count));
    }
    const double half = batched_ratio(above, counts).half_width;
    if (half < unknown) result.ci95 = {at(std::max(0.0, q - half)), at(std::min(1.0, q + half))};
    return result;
}

MeasureSummary Sample::summary(const Batches& batches) const {
    LogHistogram fine = fine_;
    std::size_t first_exact = 0;
    if (batches.mark) {
        fine.subtract(marks_[*batches.mark].fine);
        first_exact = marks_[*batches.mark].exact;
    }
    MeasureSummary result;
    result.count = fine.count();
    std::vector<double> exact;
    if (exact_.size() == added_) exact.assign(exact_.begin() + static_cast<std::ptrdiff_t>(first_exact), exact_.end());
    result.exact = !exact.empty();
    std::vector<double> sums, counts;
    double sum = 0;
    for (std::uint32_t i = batches.cut; i < Batches::most; ++i) {
        sum += totals_[i].sum;
        if (i >= batches.complete) continue;
        sums.push_back(totals_[i].sum);
        counts.push_back(static_cast<double>(totals_[i].count));
    }
    result.mean = batched_ratio(sums, counts, &result.correlated);
    result.mean.value = result.count == 0 ? 0.0 : sum / static_cast<double>(result.count);
    for (std::size_t i = 0; i < reported_quantiles.size(); ++i)
        result.percentiles[i] = percentile(reported_quantiles[i], batches, fine, exact);
    result.least = exact.empty() ? fine.quantile(0.0) : exact_quantile(exact, 0.0);
    result.most = exact.empty() ? fine.quantile(1.0) : exact_quantile(exact, 1.0);
    return result;
}

}  // namespace plimsoll
