#include <algorithm>
#include <cmath>
#include <thread>

#include <Eigen/Core>

#include "calibrate/cpu/benchmarks.hpp"
#include "calibrate/host/host_kernel.hpp"

namespace plimsoll {
namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::ColMajor>;
using Rows = Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;
using Columns = Eigen::Map<const Matrix>;
using Vector = Eigen::Map<const Eigen::VectorXf>;

/// Columns of weights that are expanded to fp32 at a time: with 4096 rows half a mebibyte, which a core's cache holds.
constexpr std::int64_t panel = 32;

/// y[m, n] = x[m, k] W[k, n] with fp32 activations; weights [n, k] of any type, each output's in a row, are expanded
/// to fp32 on the way.
class Gemm final : public HostKernel {
  public:
    explicit Gemm(const KernelPoint& point)
        : HostKernel(point),
          dtype_(point.dtype),
          m_(point.shape.m),
          n_(point.shape.n),
          k_(point.shape.k),
          input_(static_cast<std::size_t>(m_ * k_)),
          output_(m_, n_) {
        expand(OperandRing::shared().next(input_.size() * sizeof(float)), "fp32", input_.size(), input_.data());
        next_weights();
    }

    double error() override {
        run();
        constexpr std::int64_t checked = 64;
        double deviation = 0, largest = 0;
        for (std::int64_t i = 0; i < checked; ++i) {
            const std::int64_t row = i * 7919 % m_, column = (i * (n_ - 1) / (checked - 1));
            double reference = 0;
            for (std::int64_t l = 0; l < k_; ++l)
                reference += static_cast<double>(input_[static_cast<std::size_t>(row * k_ + l)]) *
                             number_at(weights_, dtype_, static_cast<std::size_t>(column * k_ + l));
            deviation = std::max(deviation, std::abs(static_cast<double>(output_(row, column)) - reference));
            largest = std::max(largest, std::abs(reference));
        }
        return deviation / largest;
    }
    /// Rounding of k sums in fp32.
    [[nodiscard]] double tolerance() const override { return 6e-8 * static_cast<double>(k_); }

  protected:
    void refresh() override {
        if (cold()) next_weights();
    }

    void share(int thread, int threads) override {
        const Part part = part_of(n_, panel, thread, threads);
        if (dtype_ == "fp32") {
            multiply(static_cast<const float*>(weights_) + part.first * k_, part.first, part.last - part.first);
            return;
        }
        std::vector<float> expanded(static_cast<std::size_t>(panel * k_));
        const std::size_t row = static_cast<std::size_t>(k_) * bytes_of_dtype(dtype_);
        for (std::int64_t from = part.first; from < part.last; from += panel) {
            const std::int64_t columns = std::min(panel, part.last - from);
            expand(static_cast<const unsigned char*>(weights_) + static_cast<std::size_t>(from) * row, dtype_,
                   static_cast<std::size_t>(columns * k_), expanded.data());
            multiply(expanded.data(), from, columns);
        }
    }

  private:
    void next_weights() {
        weights_ = OperandRing::shared().next(static_cast<std::size_t>(n_ * k_) * bytes_of_dtype(dtype_));
    }

    void multiply(const float* weights, std::int64_t column, std::int64_t columns) {
        if (columns <= 0) return;
        const Columns factor(weights, k_, columns);
        if (m_ == 1)
            output_.row(0).segment(column, columns).noalias() = Vector(input_.data(), k_).transpose() * factor;
        else
            output_.middleCols(column, columns).noalias() = Rows(input_.data(), m_, k_) * factor;
    }

    std::string dtype_;
    std::int64_t m_, n_, k_;
    std::vector<float> input_;  ///< [m, k]
    Matrix output_;             ///< [m, n]
    const void* weights_ = nullptr;
};

KernelPoint point(const std::string& dtype, std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t threads = 0) {
    return {.kernel = KernelClass::gemm,
            .path = "eigen",
            .dtype = dtype,
            .shape = {.m = m, .n = n, .k = k, .ranks = threads}};
}

/// Weight shapes of small models' layers, rows from one sequence to a prefill; a processor is bound by arithmetic from
/// a few tens of rows on, so that the knee lies inside.
std::vector<KernelPoint> points(bool quick) {
    // Short products: a busy machine seldom leaves the threads alone for long, and many points fit into a minute.
    constexpr std::int64_t most_quick = 300'000'000;
    std::vector<std::pair<std::int64_t, std::int64_t>> weights{{4096, 4096}, {1024, 1024}, {1024, 4096}, {2048, 1024}};
    std::vector<std::int64_t> rows{1, 64, 8, 128, 24};
    if (!quick) {
        weights.insert(weights.end(), {{11008, 4096}, {4096, 11008}, {6144, 4096}, {2048, 2048}, {8192, 1024}});
        rows.insert(rows.end(), {2, 4, 16, 32, 48, 256, 512});
    }
    std::vector<KernelPoint> all;
    for (const std::int64_t m : rows)
        for (const auto& [n, k] : weights)
            for (const std::string dtype : {"fp32", "bf16", "fp16", "int8"})
                if (!quick || m * n * k < most_quick) all.push_back(point(dtype, m, n, k));
    return all;
}

/// The same product on 1, 2, 4 ... threads and on all, bound by arithmetic and by memory.
std::vector<KernelPoint> scaling_points(bool) {
    const auto most = static_cast<std::int64_t>(std::thread::hardware_concurrency());
    std::vector<std::int64_t> counts;
    for (std::int64_t threads = 1; threads < most; threads *= 2) counts.push_back(threads);
    counts.push_back(std::max<std::int64_t>(1, most));
    std::vector<KernelPoint> all;
    for (const std::int64_t threads : counts)
        for (const std::int64_t m : {1, 64}) all.push_back(point("fp32", m, 2048, 2048, threads));
    return all;
}

std::unique_ptr<PreparedKernel> prepare(const KernelPoint& wanted) {
    return std::make_unique<Gemm>(wanted);
}

}  // namespace

std::string cpu_library() {
    return "eigen-" + std::to_string(EIGEN_WORLD_VERSION) + "." + std::to_string(EIGEN_MAJOR_VERSION) + "." +
           std::to_string(EIGEN_MINOR_VERSION);
}

std::string cpu_instruction_sets() {
    return Eigen::SimdInstructionSetsInUse();
}

void register_gemm(Registry<Microbenchmark>& registry) {
    registry.add("gemm", {.description = "products with weights of fp32, bf16, fp16 and int8, expanded to fp32",
                          .points = points,
                          .prepare = prepare});
    registry.add(
        "gemm-threads",
        {.description = "a product on one thread, two, four and so on", .points = scaling_points, .prepare = prepare});
}

}  // namespace plimsoll
