#include <algorithm>
#include <cmath>
#include <cstring>

#include "calibrate/cpu/benchmarks.hpp"
#include "calibrate/host/host_kernel.hpp"

namespace plimsoll {
namespace {

/// Short ones are repeated until this much has moved, so that waking the threads weighs little.
constexpr std::int64_t least_moved = std::int64_t{1} << 26;

/// Reads a stretch of memory into one sum a thread, or copies it.
class Stream final : public HostKernel {
  public:
    explicit Stream(const KernelPoint& point)
        : HostKernel(point, static_cast<int>(std::max<std::int64_t>(1, least_moved / point.shape.bytes))),
          copy_(point.path == "copy"),
          count_(point.shape.bytes / (copy_ ? 8 : 4)),
          sums_(static_cast<std::size_t>(threads()) * apart) {
        if (copy_) target_.resize(static_cast<std::size_t>(count_));
        next_source();
    }

    double error() override {
        run();
        if (copy_) return std::memcmp(source_, target_.data(), target_.size() * sizeof(float)) == 0 ? 0.0 : 1.0;
        double reference = 0, magnitude = 0, sum = 0;
        for (std::int64_t i = 0; i < count_; ++i) {
            reference += static_cast<double>(source_[i]);
            magnitude += std::abs(static_cast<double>(source_[i]));
        }
        for (int thread = 0; thread < threads(); ++thread)
            sum += static_cast<double>(sums_[static_cast<std::size_t>(thread) * apart]);
        return std::abs(sum - reference) / magnitude;
    }
    /// Rounding of sums in fp32, which Eigen adds pairwise in packets: far below its bound of n / 2 ulp.
    [[nodiscard]] double tolerance() const override { return copy_ ? 0.0 : 1e-4; }

  protected:
    void refresh() override {
        if (cold()) next_source();
    }
    void share(int thread, int threads) override {
        constexpr std::int64_t line = 16;
        const Part part = part_of(count_, line, thread, threads);
        if (part.last <= part.first) return;
        const auto size = static_cast<std::size_t>(part.last - part.first);
        if (copy_) {
            std::memcpy(target_.data() + part.first, source_ + part.first, size * sizeof(float));
            return;
        }
        sums_[static_cast<std::size_t>(thread) * apart] = kernels().sum(source_ + part.first, part.last - part.first);
    }

  private:
    static constexpr std::size_t apart = 16;  ///< floats between two threads' sums: a cache line

    void next_source() {
        source_ =
            static_cast<const float*>(OperandRing::shared().next(static_cast<std::size_t>(count_) * sizeof(float)));
    }

    bool copy_;
    std::int64_t count_;  ///< numbers read
    std::vector<float> sums_, target_;
    const float* source_ = nullptr;
};

KernelPoint point(const std::string& path, std::int64_t bytes, bool cold, std::int64_t threads = 0) {
    return {.kernel = KernelClass::memory,
            .path = path,
            .dtype = "fp32",
            .shape = {.bytes = bytes, .ranks = threads},
            .cold = cold};
}

/// From the first cache to memory; the largest, cold, is the bandwidth that models are read with.
std::vector<KernelPoint> points(bool quick) {
    constexpr std::int64_t kibibyte = 1024, mebibyte = 1024 * kibibyte;
    std::vector<KernelPoint> all;
    for (const std::string path : {"read", "copy"}) {
        all.push_back(point(path, 128 * mebibyte, true));
        for (const std::int64_t size : {32 * kibibyte, 512 * kibibyte, 8 * mebibyte})
            all.push_back(point(path, size, false));
        if (quick) continue;
        for (const std::int64_t size : {128 * kibibyte, 2 * mebibyte, 32 * mebibyte, 128 * mebibyte})
            all.push_back(point(path, size, false));
        for (const std::int64_t size : {mebibyte, 16 * mebibyte}) all.push_back(point(path, size, true));
    }
    return all;
}

}  // namespace

void register_memory(Registry<Microbenchmark>& registry) {
    registry.add("memory", {.description = "reads and copies from the caches and from memory",
                            .points = points,
                            .prepare = [](const KernelPoint& wanted) { return std::make_unique<Stream>(wanted); }});
}

}  // namespace plimsoll
