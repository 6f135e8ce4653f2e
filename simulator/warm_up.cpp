#include "simulator/warm_up.hpp"

#include "simulator/statistics.hpp"

namespace plimsoll {

void Course::join() {
    for (std::size_t i = 0; i < most / 2; ++i) means_[i] = 0.5 * (means_[2 * i] + means_[2 * i + 1]);
    means_.resize(most / 2);
    batch_ *= 2;
}

void Course::clear() {
    means_.clear();
    sum_ = 0;
    in_batch_ = 0;
    batch_ = 5;
}

std::uint64_t Course::warm_up() const {
    return batch_ * mser_cut(means_);
}

}  // namespace plimsoll
