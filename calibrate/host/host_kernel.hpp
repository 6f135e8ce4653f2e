#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "calibrate/host/instruction_sets.hpp"
#include "calibrate/host/operand_ring.hpp"
#include "calibrate/host/thread_team.hpp"
#include "calibrate/sample.hpp"

namespace plimsoll {

/// A kernel of the processor: a team of threads does the work. Its time is that of the busiest thread on its processor
/// and the shortest wake-up of the team so far. A reading is throttled at a lowered clock, and disturbed where other
/// programs kept the threads from working at the same time: threads that share a core are faster one after the other.
class HostKernel : public PreparedKernel {
  public:
    Reading run() final;

  protected:
    /// `repeats`: how often the work is done in one reading, so that short kernels fill the clock's resolution.
    HostKernel(const KernelPoint& point, int repeats = 1);

    /// One thread's share.
    virtual void share(int thread, int threads) = 0;
    /// Before each reading, outside its time: other operands, so that they are cold.
    virtual void refresh() {}

    [[nodiscard]] const VectorKernels& kernels() const { return kernels_; }
    [[nodiscard]] bool cold() const { return cold_; }
    [[nodiscard]] int threads() const { return team_.threads(); }

  private:
    const VectorKernels& kernels_;
    ThreadTeam team_;
    bool cold_;
    int repeats_;
    std::vector<double> clocks_;  ///< seen so far, rising
    std::optional<Seconds> shortest_wake_;
};

/// What one thread of many has to do: [first, last) of `count`, in units of `grain`.
struct Part {
    std::int64_t first, last;
};
[[nodiscard]] constexpr Part part_of(std::int64_t count, std::int64_t grain, int thread, int threads) {
    const std::int64_t grains = (count + grain - 1) / grain;
    const auto bound = [&](std::int64_t i) {
        const std::int64_t at = grains * i / threads * grain;
        return at < count ? at : count;
    };
    return {bound(thread), bound(thread + 1)};
}

/// Throws std::runtime_error for another type than fp32, fp16, bf16 and int8.
[[nodiscard]] NumberType number_type(const std::string& dtype);
/// One of many numbers, none of them infinite: what references are made of.
[[nodiscard]] double number_at(const void* numbers, NumberType type, std::int64_t index);

}  // namespace plimsoll
