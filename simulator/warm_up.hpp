#pragma once
#include <cstdint>
#include <vector>

namespace plimsoll {

/// The course of a measure in constant memory: means of 5 values, and of twice as many whenever 1024 means are full.
class Course {
  public:
    Course() { means_.reserve(most); }

    void add(double value) {
        sum_ += value;
        if (++in_batch_ < batch_) return;
        means_.push_back(sum_ / static_cast<double>(batch_));
        sum_ = 0;
        in_batch_ = 0;
        if (means_.size() == most) join();
    }
    void clear();
    /// How many of the first values belong to the warm-up, by MSER-5 (on batches of 5 x 2^k).
    [[nodiscard]] std::uint64_t warm_up() const;

  private:
    static constexpr std::size_t most = 1024;
    void join();
    std::vector<double> means_;
    double sum_ = 0;
    std::uint64_t in_batch_ = 0, batch_ = 5;
};

}  // namespace plimsoll
