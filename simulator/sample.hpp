#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "simulator/histogram.hpp"
#include "simulator/report.hpp"

namespace plimsoll {

/// A run is cut into batches of equally many requests: when 32 are full, neighbours are joined and 16 of twice the
/// size remain, so that there are always 16 to 31 and memory is constant. A mark is the state when that happened;
/// the last four marks stand 16, 8, 4 and 2 batches after the start and are where a warm-up may be cut off.
struct Batches {
    static constexpr std::uint32_t most = 32, marks = 4;

    std::uint32_t complete = 0;         ///< batches; the one under way is the next
    std::uint32_t cut = 0;              ///< batches at the start that are left out
    std::optional<std::uint32_t> mark;  ///< which mark stands at `cut`, when that is not 0
};

/// Sum over batches [cut, complete) of numerators over denominators, with the interval: batches are joined, down to
/// eight, while neighbours are correlated; `correlated` tells whether that was not enough. Infinite below eight.
[[nodiscard]] Estimate batched_ratio(std::span<const double> numerators, std::span<const double> denominators,
                                     bool* correlated = nullptr);

/// All values of one measure: exact while they are few, and as a histogram; with counts batch by batch, at 16 buckets
/// an octave, from which the intervals come.
class Sample {
  public:
    explicit Sample(std::size_t most_exact);

    void add(double value) {
        if (exact_.size() < most_exact_) exact_.push_back(value);
        note(LogBuckets::of(value), 1);
        totals_[batch_].sum += value;
    }
    /// `weight` values each of first, first + growth, ... (`count` of them).
    void add_many(double first, double growth, std::uint64_t count, std::uint64_t weight);

    /// What follows belongs to another batch.
    void begin_batch(std::uint32_t batch) { batch_ = batch; }
    /// Keeps the state as a mark and joins the batches by twos; the next is batch 16.
    void join_batches(std::uint32_t mark);
    void clear();

    [[nodiscard]] MeasureSummary summary(const Batches& batches) const;

  private:
    static constexpr std::uint32_t coarse_shift = 5;
    static constexpr std::uint32_t coarse_count = ((LogBuckets::count - 1) >> coarse_shift) + 1;
    struct Totals {
        double sum = 0;
        std::uint64_t count = 0;
    };
    struct Mark {
        LogHistogram fine;
        std::size_t exact = 0;
    };

    static std::uint32_t coarse_of(std::uint32_t bucket) {
        return bucket == 0 ? 0 : ((bucket - 1) >> coarse_shift) + 1;
    }
    void note(std::uint32_t bucket, std::uint64_t weight) {
        fine_.add_bucket(bucket, weight);
        coarse_[std::size_t{batch_} * coarse_count + coarse_of(bucket)] += weight;
        totals_[batch_].count += weight;
        added_ += weight;
    }
    /// Values of a batch below `value`, spread evenly within a coarse bucket.
    [[nodiscard]] double below(std::uint32_t batch, double value) const;
    [[nodiscard]] PercentileEstimate percentile(double q, const Batches& batches, const LogHistogram& fine,
                                                std::span<double> exact) const;

    LogHistogram fine_;
    std::vector<std::uint64_t> coarse_;  ///< [batch, coarse bucket]
    std::array<Totals, Batches::most> totals_{};
    std::vector<double> exact_;
    std::size_t most_exact_;
    std::uint64_t added_ = 0;
    std::uint32_t batch_ = 0;
    std::vector<Mark> marks_;
};

}  // namespace plimsoll
