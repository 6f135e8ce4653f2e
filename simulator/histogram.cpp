#include "simulator/histogram.hpp"

#include "model/base/error.hpp"

namespace plimsoll {

LogHistogram& LogHistogram::operator=(const LogHistogram& other) {
    if (this == &other) return *this;
    clear();
    for (std::uint32_t i = other.low_; i < other.high_; ++i) counts_[i] = other.counts_[i];
    total_ = other.total_;
    low_ = other.low_;
    high_ = other.high_;
    return *this;
}

void LogHistogram::clear() {
    for (std::uint32_t i = low_; i < high_; ++i) counts_[i] = 0;
    total_ = 0;
    low_ = LogBuckets::count;
    high_ = 0;
}

void LogHistogram::add(const LogHistogram& other) {
    for (std::uint32_t i = other.low_; i < other.high_; ++i) counts_[i] += other.counts_[i];
    total_ += other.total_;
    low_ = std::min(low_, other.low_);
    high_ = std::max(high_, other.high_);
}

void LogHistogram::subtract(const LogHistogram& earlier) {
    for (std::uint32_t i = earlier.low_; i < earlier.high_; ++i) {
        PLIMSOLL_ASSERT(counts_[i] >= earlier.counts_[i]);
        counts_[i] -= earlier.counts_[i];
    }
    total_ -= earlier.total_;
}

double LogHistogram::quantile(double q) const {
    if (total_ == 0) return 0.0;
    const auto rank = static_cast<std::uint64_t>(q * static_cast<double>(total_ - 1) + 0.5);
    std::uint64_t below = 0;
    for (std::uint32_t i = low_; i < high_; ++i) {
        below += counts_[i];
        if (below > rank) return LogBuckets::middle(i);
    }
    return LogBuckets::middle(high_ - 1);
}

double exact_quantile(std::span<double> values, double q) {
    if (values.empty()) return 0.0;
    const double rank = q * static_cast<double>(values.size() - 1);
    const auto low = static_cast<std::size_t>(rank);
    const auto at = values.begin() + static_cast<std::ptrdiff_t>(low);
    std::nth_element(values.begin(), at, values.end());
    const double share = rank - static_cast<double>(low);
    if (share == 0.0) return *at;
    return *at + share * (*std::min_element(at + 1, values.end()) - *at);
}

}  // namespace plimsoll
