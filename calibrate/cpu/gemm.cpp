#include <algorithm>
#include <cmath>
#include <cstring>
#include <thread>

#include "calibrate/cpu/benchmarks.hpp"
#include "calibrate/host/host_kernel.hpp"

namespace plimsoll {
namespace {

/// Columns of which the threads get whole multiples.
constexpr std::int64_t grain = 32;

/// y[m, n] = x[m, k] W[k, n] with fp32 activations; weights [n, k] of any type, each output's in a row, are expanded
/// to fp32 on the way.
class Gemm final : public HostKernel {
  public:
    explicit Gemm(const KernelPoint& point)
        : HostKernel(point),
          type_(number_type(point.dtype)),
          m_(point.shape.m),
          n_(point.shape.n),
          k_(point.shape.k),
          input_(static_cast<std::size_t>(m_ * k_)),
          output_(static_cast<std::size_t>(m_ * n_)) {
        std::memcpy(input_.data(), OperandRing::shared().next(input_.size() * sizeof(float)),
                    input_.size() * sizeof(float));
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
                             number_at(weights_, type_, column * k_ + l);
            deviation = std::max(
                deviation,
                std::abs(static_cast<double>(output_[static_cast<std::size_t>(column * m_ + row)]) - reference));
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
        const Part part = part_of(n_, grain, thread, threads);
        kernels().multiply({type_, weights_, input_.data(), output_.data(), m_, k_, part.first, part.last});
    }

  private:
    void next_weights() {
        weights_ = OperandRing::shared().next(static_cast<std::size_t>(n_ * k_ * number_bytes(type_)));
    }

    NumberType type_;
    std::int64_t m_, n_, k_;
    std::vector<float> input_;   ///< [m, k]
    std::vector<float> output_;  ///< [n, m]
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

void register_gemm(Registry<Microbenchmark>& registry) {
    registry.add("gemm", {.description = "products with weights of fp32, bf16, fp16 and int8, expanded to fp32",
                          .points = points,
                          .prepare = prepare});
    registry.add(
        "gemm-threads",
        {.description = "a product on one thread, two, four and so on", .points = scaling_points, .prepare = prepare});
}

}  // namespace plimsoll
