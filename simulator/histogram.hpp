#pragma once
#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace plimsoll {

/// How positive numbers fall into buckets: each octave from 2^-20 (about 1e-6) to 2^20 has 512 of equal width, so that
/// the middle of a bucket is within 1/1024 (0.1 %) of all that is in it. Smaller numbers share bucket 0, larger ones
/// the last. In the manner of HdrHistogram (Tene), with the bits of the double in place of its own.
struct LogBuckets {
    static constexpr int fine_bits = 9;
    static constexpr int least_exponent = -20, octaves = 40;
    static constexpr std::uint32_t count = (octaves << fine_bits) + 1;
    static constexpr double relative_error = 1.0 / 1024;

    [[nodiscard]] static std::uint32_t of(double value) {
        constexpr std::int64_t first = std::int64_t{1023 + least_exponent} << fine_bits;
        const auto bits = static_cast<std::int64_t>(std::bit_cast<std::uint64_t>(value) >> (52 - fine_bits));
        return static_cast<std::uint32_t>(std::clamp<std::int64_t>(bits - first + 1, 0, count - 1));
    }
    /// The least number of a bucket.
    [[nodiscard]] static double least(std::uint32_t bucket) {
        if (bucket == 0) return 0.0;
        constexpr std::uint64_t first = std::uint64_t{1023 + least_exponent} << fine_bits;
        return std::bit_cast<double>((first + bucket - 1) << (52 - fine_bits));
    }
    [[nodiscard]] static double middle(std::uint32_t bucket) {
        return bucket == 0 ? 0.0 : 0.5 * (least(bucket) + least(bucket + 1));
    }
};

/// Calls `each(bucket, n)` for the numbers first, first + growth, ... (`count` of them, growth not negative), without
/// visiting each where many fall into one bucket.
template <class Each>
void for_each_bucket(double first, double growth, std::uint64_t count, Each each) {
    const double per_growth = growth > 0 ? 1.0 / growth : 0.0, all = static_cast<double>(count);
    std::int64_t done = 0;
    const auto end = static_cast<std::int64_t>(count);
    while (done < end) {
        const std::uint32_t bucket = LogBuckets::of(first + growth * static_cast<double>(done));
        std::int64_t next = end;
        if (growth > 0 && bucket + 1 < LogBuckets::count) {
            const double fit = (LogBuckets::least(bucket + 1) - first) * per_growth;
            if (fit < all) {
                next = static_cast<std::int64_t>(fit);
                next += static_cast<double>(next) < fit ? 1 : 0;
                next = std::max(done + 1, next);
            }
        }
        each(bucket, static_cast<std::uint64_t>(next - done));
        done = next;
    }
}

/// Counts of positive numbers by their order of magnitude: percentiles within 0.1 % in constant memory.
class LogHistogram {
  public:
    LogHistogram() : counts_(LogBuckets::count) {}
    LogHistogram(const LogHistogram& other) : LogHistogram() { *this = other; }
    LogHistogram(LogHistogram&&) = default;
    LogHistogram& operator=(LogHistogram&&) = default;
    ~LogHistogram() = default;
    /// Copies the used range alone.
    LogHistogram& operator=(const LogHistogram& other);

    void add(double value, std::uint64_t weight = 1) { add_bucket(LogBuckets::of(value), weight); }
    void add_bucket(std::uint32_t bucket, std::uint64_t weight) {
        counts_[bucket] += weight;
        total_ += weight;
        low_ = std::min(low_, bucket);
        high_ = std::max(high_, bucket + 1);
    }
    /// Adds `weight` times `first`, first + growth, ... (`count` numbers, at least one), and tells each
    /// `see(bucket, n)`.
    template <class See>
    void add_progression(double first, double growth, std::uint64_t count, std::uint64_t weight, See see) {
        std::uint32_t last = LogBuckets::of(first);
        low_ = std::min(low_, last);
        for_each_bucket(first, growth, count, [&](std::uint32_t bucket, std::uint64_t times) {
            counts_[bucket] += times * weight;
            last = bucket;
            see(bucket, times * weight);
        });
        high_ = std::max(high_, last + 1);
        total_ += count * weight;
    }
    void clear();
    /// Adds or takes away what another one counted.
    void add(const LogHistogram& other);
    void subtract(const LogHistogram& earlier);

    [[nodiscard]] std::uint64_t count() const { return total_; }
    /// The middle of the bucket of rank q (count - 1) among the sorted numbers, 0 <= q <= 1; 0 when there are none.
    [[nodiscard]] double quantile(double q) const;

  private:
    std::vector<std::uint64_t> counts_;
    std::uint64_t total_ = 0;
    std::uint32_t low_ = LogBuckets::count, high_ = 0;  ///< the used buckets
};

/// The number of rank q (n - 1) among `values`, interpolated between neighbours, as benchmark clients compute it
/// (numpy's default); reorders the values; 0 when there are none.
[[nodiscard]] double exact_quantile(std::span<double> values, double q);

}  // namespace plimsoll
