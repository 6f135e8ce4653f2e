#include <algorithm>
#include <cmath>
#include <numeric>

#include "calibrate/cuda/benches.hpp"
#include "calibrate/cuda/elementwise.hpp"
#include "calibrate/cuda/numeric.cuh"
#include "calibrate/cuda/timed_kernel.hpp"

namespace plimsoll {
namespace {

using namespace cuda;

double rounded(Dtype dtype, double value) {
    const auto single = static_cast<float>(value);
    return dtype == Dtype::fp16 ? __half2float(__float2half_rn(single)) : __bfloat162float(__float2bfloat16_rn(single));
}

/// Rows that are compared: all of a small matrix, else the first ones and the last.
constexpr std::size_t most_compared_rows = 64;

/// m rows of n elements; what the kernels have in common.
class Elementwise : public TimedKernel {
  public:
    Elementwise(const KernelPoint& point, std::int64_t elements_per_row)
        : TimedKernel(point.cold, copies_for(point.cold, bytes_of_copy(point, elements_per_row))),
          dtype_(dtype_of(point.dtype)),
          rows_(point.shape.m),
          width_(point.shape.n),
          copies_(copies_for(point.cold, bytes_of_copy(point, elements_per_row))) {
        if (dtype_ == Dtype::bf16) require_capability(75, "bf16");
    }
    [[nodiscard]] double tolerance() const override { return dtype_ == Dtype::bf16 ? 1e-2 : 2e-3; }

  protected:
    [[nodiscard]] std::size_t elements(std::int64_t per_row) const { return static_cast<std::size_t>(rows_ * per_row); }
    [[nodiscard]] DeviceMemory values(std::int64_t per_row, std::uint64_t seed) const {
        return random_values(dtype_, elements(per_row) * static_cast<std::size_t>(copies_), seed);
    }
    /// Bytes from the first copy of something with so many elements a row to number `copy`.
    [[nodiscard]] std::size_t offset(int copy, std::int64_t per_row) const {
        return static_cast<std::size_t>(copy) * elements(per_row) * size_of(dtype_);
    }
    [[nodiscard]] std::vector<double> host(const DeviceMemory& memory, std::int64_t per_row) const {
        return numbers(dtype_, memory.as(),
                       std::min(elements(per_row), most_compared_rows * static_cast<std::size_t>(per_row)));
    }

    Dtype dtype_;
    std::int64_t rows_, width_;
    int copies_;

  private:
    static std::size_t bytes_of_copy(const KernelPoint& point, std::int64_t per_row) {
        return static_cast<std::size_t>(point.shape.m * per_row) * size_of(dtype_of(point.dtype));
    }
};

class RmsNorm final : public Elementwise {
  public:
    RmsNorm(const KernelPoint& point, bool adds)
        : Elementwise(point, (adds ? 3 : 2) * point.shape.n),
          x_(values(width_, 1)),
          residual_(adds ? values(width_, 2) : DeviceMemory()),
          weight_(random_values(dtype_, static_cast<std::size_t>(width_), 3)),
          y_(values(width_, 4)),
          adds_(adds) {}

    double error() override {
        auto x = host(x_, width_);
        if (adds_) {
            // The residual stream has grown with the timed runs: it starts afresh.
            residual_ = values(width_, 2);
            const auto before = host(residual_, width_);
            for (std::size_t i = 0; i < x.size(); ++i) x[i] = rounded(dtype_, x[i] + before[i]);
        }
        const auto weight = numbers(dtype_, weight_.as(), static_cast<std::size_t>(width_));
        poison(y_);
        run_plainly();
        std::vector<double> reference(x.size());
        const auto width = static_cast<std::size_t>(width_);
        for (std::size_t row = 0; row < x.size(); row += width) {
            double squares = 0;
            for (std::size_t i = row; i < row + width; ++i) squares += x[i] * x[i];
            const double scale = 1 / std::sqrt(squares / static_cast<double>(width) + 1e-5);
            for (std::size_t i = 0; i < width; ++i) reference[row + i] = x[row + i] * scale * weight[i];
        }
        return relative_deviation(host(y_, width_), reference);
    }

  protected:
    void launch(cudaStream_t stream, int copy) override {
        const std::size_t at = offset(copy, width_);
        NormArguments a;
        a.x = x_.as(at);
        a.residual = adds_ ? residual_.as(at) : nullptr;
        a.weight = weight_.as();
        a.y = y_.as(at);
        a.rows = rows_;
        a.width = width_;
        rms_norm(dtype_, a, stream);
    }

  private:
    DeviceMemory x_, residual_, weight_, y_;
    bool adds_;
};

class SiluMultiply final : public Elementwise {
  public:
    explicit SiluMultiply(const KernelPoint& point)
        : Elementwise(point, 3 * point.shape.n), x_(values(2 * width_, 1)), y_(values(width_, 2)) {}

    double error() override {
        poison(y_);
        run_plainly();
        const auto x = host(x_, 2 * width_);
        const auto y = host(y_, width_);
        std::vector<double> reference(y.size());
        const auto width = static_cast<std::size_t>(width_);
        for (std::size_t i = 0; i < y.size(); ++i) {
            const std::size_t at = i / width * 2 * width + i % width;
            reference[i] = x[at] / (1 + std::exp(-x[at])) * x[at + width];
        }
        return relative_deviation(y, reference);
    }

  protected:
    void launch(cudaStream_t stream, int copy) override {
        silu_multiply(dtype_, x_.as(offset(copy, 2 * width_)), y_.as(offset(copy, width_)), rows_, width_, stream);
    }

  private:
    DeviceMemory x_, y_;
};

/// n = heads x head_dim with a head_dim of 128.
class Rope final : public Elementwise {
  public:
    explicit Rope(const KernelPoint& point) : Elementwise(point, point.shape.n), x_(values(width_, 1)) {
        if (width_ % head_dim != 0) throw std::runtime_error("rope: the width is no multiple of a head of 128");
        std::vector<float2> angles(static_cast<std::size_t>(rows_) * half);
        for (std::size_t i = 0; i < angles.size(); ++i) {
            const double angle = static_cast<double>(i / half) * std::pow(1e4, -static_cast<double>(i % half) / half);
            angles[i] = {static_cast<float>(std::cos(angle)), static_cast<float>(std::sin(angle))};
        }
        table_ = to_device(angles);
        std::vector<std::int32_t> positions(static_cast<std::size_t>(rows_));
        std::iota(positions.begin(), positions.end(), 0);
        positions_ = to_device(positions);
    }

    double error() override {
        x_ = values(width_, 1);
        const auto before = host(x_, width_);
        run_plainly();
        std::vector<double> reference(before.size());
        const auto width = static_cast<std::size_t>(width_);
        for (std::size_t i = 0; i < before.size(); ++i) {
            const std::size_t row = i / width, pair = i % half;
            const bool high = i % head_dim >= half;
            const double angle = static_cast<double>(row) * std::pow(1e4, -static_cast<double>(pair) / half);
            const double partner = before[high ? i - half : i + half];
            reference[i] = before[i] * std::cos(angle) + (high ? partner : -partner) * std::sin(angle);
        }
        return relative_deviation(host(x_, width_), reference);
    }

  protected:
    void launch(cudaStream_t stream, int copy) override {
        RopeArguments a;
        a.x = x_.as(offset(copy, width_));
        a.table = table_.as<float2>();
        a.positions = positions_.as<std::int32_t>();
        a.rows = rows_;
        a.row_stride = width_;
        a.heads = static_cast<int>(width_) / head_dim;
        a.head_dim = head_dim;
        rope(dtype_, a, stream);
    }

  private:
    static constexpr int head_dim = 128, half = head_dim / 2;
    DeviceMemory x_, table_, positions_;
};

class KvWrite final : public Elementwise {
  public:
    explicit KvWrite(const KernelPoint& point)
        : Elementwise(point, 4 * point.shape.n),
          k_(values(width_, 1)),
          v_(values(width_, 2)),
          k_pages_(values(width_, 3)),
          v_pages_(values(width_, 4)) {
        std::vector<std::int32_t> slots(static_cast<std::size_t>(rows_));
        std::iota(slots.rbegin(), slots.rend(), 0);
        slots_ = to_device(slots);
    }

    double error() override {
        poison(k_pages_);
        poison(v_pages_);
        run_plainly();
        // The first rows have gone to the last slots, in reverse.
        const auto width = static_cast<std::size_t>(width_);
        const std::size_t rows = std::min(static_cast<std::size_t>(rows_), most_compared_rows);
        const std::size_t first = offset(1, width_) - rows * width * size_of(dtype_);
        std::vector<double> written, reference;
        const auto compare = [&](const DeviceMemory& from, const DeviceMemory& to) {
            const auto before = host(from, width_), after = numbers(dtype_, to.as(first), rows * width);
            written.insert(written.end(), after.begin(), after.end());
            for (std::size_t row = rows; row > 0; --row)
                reference.insert(reference.end(), before.begin() + static_cast<std::ptrdiff_t>((row - 1) * width),
                                 before.begin() + static_cast<std::ptrdiff_t>(row * width));
        };
        compare(k_, k_pages_);
        compare(v_, v_pages_);
        return relative_deviation(written, reference);
    }
    [[nodiscard]] double tolerance() const override { return 0; }

  protected:
    void launch(cudaStream_t stream, int copy) override {
        const std::size_t at = offset(copy, width_);
        KvWriteArguments a;
        a.k = k_.as(at);
        a.v = v_.as(at);
        a.k_pages = k_pages_.as(at);
        a.v_pages = v_pages_.as(at);
        a.slots = slots_.as<std::int32_t>();
        a.rows = rows_;
        a.row_stride = width_;
        a.width = width_;
        kv_write(dtype_, a, stream);
    }

  private:
    DeviceMemory k_, v_, k_pages_, v_pages_, slots_;
};

/// Elements read and written for each of the m rows of n.
std::int64_t passes(const std::string& path) {
    if (path == "add_rms_norm" || path == "kv_write") return 4;
    return path == "silu_mul" ? 3 : 2;
}

std::vector<KernelPoint> points(bool quick) {
    const std::string dtype = device_limits().capability >= 80 ? "bf16" : "fp16";
    struct Widths {
        const char* path;
        std::vector<std::int64_t> values;
    };
    const std::vector<Widths> widths{{"add_rms_norm", {4096, 8192}},
                                     {"silu_mul", {14336, 28672}},
                                     {"rope", {5120, 9216}},
                                     {"kv_write", {1024, 4096}},
                                     {"rms_norm", {4096, 8192}}};
    std::vector<KernelPoint> result;
    for (const std::int64_t m :
         quick ? std::vector<std::int64_t>{1, 256, 4096} : std::vector<std::int64_t>{1, 16, 64, 256, 1024, 4096, 16384})
        for (const auto& [path, values] : widths)
            for (const auto n : values) {
                if (quick && n != values.front()) continue;
                // What they read was written by the kernel before.
                KernelPoint point{KernelClass::elementwise, path, dtype, "", {}, false};
                point.shape.m = m;
                point.shape.n = n;
                point.shape.bytes = passes(path) * m * n * 2;
                result.push_back(point);
            }
    return result;
}

std::unique_ptr<PreparedKernel> prepare(const KernelPoint& point) {
    if (point.path == "rms_norm") return std::make_unique<RmsNorm>(point, false);
    if (point.path == "add_rms_norm") return std::make_unique<RmsNorm>(point, true);
    if (point.path == "silu_mul") return std::make_unique<SiluMultiply>(point);
    if (point.path == "rope") return std::make_unique<Rope>(point);
    if (point.path == "kv_write") return std::make_unique<KvWrite>(point);
    throw std::runtime_error("unknown elementwise kernel '" + point.path + "'");
}

}  // namespace

void register_elementwise(Registry<Microbenchmark>& registry) {
    registry.add("elementwise",
                 {"rms norm with and without the residual's addition, rope, silu times up, KV write", points, prepare});
}

}  // namespace plimsoll
