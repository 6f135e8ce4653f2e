#include <algorithm>
#include <cmath>

#include "calibrate/cpu/benchmarks.hpp"
#include "calibrate/host/host_kernel.hpp"

namespace plimsoll {
namespace {

constexpr float epsilon = 1e-5F;

/// Work on [m tokens, n numbers] that reads each number once: a root-mean-square norm, or SiLU(a) * b.
class Elementwise final : public HostKernel {
  public:
    explicit Elementwise(const KernelPoint& point)
        : HostKernel(point),
          norm_(point.path == "rms-norm"),
          tokens_(point.shape.m),
          size_(point.shape.n),
          output_(static_cast<std::size_t>(tokens_ * size_)) {
        next_input();
    }

    double error() override {
        run();
        double deviation = 0, largest = 0;
        for (std::int64_t token = 0; token < tokens_; token += std::max<std::int64_t>(1, tokens_ / 8)) {
            const auto at = [&](const float* from, std::int64_t i) {
                return static_cast<double>(from[token * size_ + i]);
            };
            double squares = 0;
            for (std::int64_t i = 0; i < size_; ++i) squares += at(first_, i) * at(first_, i);
            const double factor = 1.0 / std::sqrt(squares / static_cast<double>(size_) + static_cast<double>(epsilon));
            for (std::int64_t i = 0; i < size_; ++i) {
                const double a = at(first_, i);
                const double reference = norm_ ? a * factor : a / (1.0 + std::exp(-a)) * at(second_, i);
                deviation = std::max(deviation, std::abs(at(output_.data(), i) - reference));
                largest = std::max(largest, std::abs(reference));
            }
        }
        return deviation / largest;
    }
    /// Rounding of fp32 sums and exponentials.
    [[nodiscard]] double tolerance() const override { return 1e-5; }

  protected:
    void refresh() override {
        if (cold()) next_input();
    }
    void share(int thread, int threads) override {
        const Part part = part_of(tokens_, 1, thread, threads);
        for (std::int64_t token = part.first; token < part.last; ++token) {
            const std::int64_t at = token * size_;
            if (norm_)
                kernels().rms_norm(first_ + at, size_, epsilon, output_.data() + at);
            else
                kernels().silu_mul(first_ + at, second_ + at, size_, output_.data() + at);
        }
    }

  private:
    void next_input() {
        OperandRing& ring = OperandRing::shared();
        first_ = static_cast<const float*>(ring.next(output_.size() * sizeof(float)));
        second_ = norm_ ? first_ : static_cast<const float*>(ring.next(output_.size() * sizeof(float)));
    }

    bool norm_;
    std::int64_t tokens_, size_;
    std::vector<float> output_;
    const float* first_ = nullptr;
    const float* second_ = nullptr;
};

std::vector<KernelPoint> points(bool quick) {
    std::vector<KernelPoint> all;
    for (const auto& [path, passes] : {std::pair{"rms-norm", 2}, {"silu-mul", 3}})
        for (const std::int64_t tokens : {1, 256, 16, 2048, 64, 4}) {
            if (quick && (tokens == 64 || tokens == 4)) continue;
            constexpr std::int64_t size = 4096;
            all.push_back({.kernel = KernelClass::elementwise,
                           .path = path,
                           .dtype = "fp32",
                           .shape = {.m = tokens, .n = size, .bytes = tokens * size * 4 * passes}});
        }
    return all;
}

}  // namespace

void register_elementwise(Registry<Microbenchmark>& registry) {
    registry.add("elementwise",
                 {.description = "norm and activation", .points = points, .prepare = [](const KernelPoint& wanted) {
                      return std::make_unique<Elementwise>(wanted);
                  }});
}

}  // namespace plimsoll
