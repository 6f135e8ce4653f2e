#pragma once
#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/base/registry.hpp"
#include "model/cost/work.hpp"
#include "model/spec/gpu.hpp"
#include "model/spec/profile.hpp"

namespace plimsoll {

/// What a kernel form asks of a GPU: dense peak of the arithmetic type, memory bandwidth, L2, multiprocessors.
struct GpuPeaks {
    FlopPerSecond arithmetic;
    BytesPerSecond memory;
    Bytes l2;
    double multiprocessors = 0;
};
/// Peaks for arithmetic of one type; the arithmetic peak is 0 where the GPU does not multiply it.
[[nodiscard]] GpuPeaks peaks_of(const Gpu& gpu, Dtype arithmetic);

/// Time of one kernel, taken apart: launch + streamed + pnorm(compute, memory), pnorm(a, b) = (a^p + b^p)^(1/p), a
/// smooth knee between two limits.
struct KernelParts {
    Seconds launch, compute, memory;
    double sharpness = 1.0;  ///< p
    Seconds streamed{};      ///< of kernels before and after it that were measured with it and only read and write
    [[nodiscard]] Seconds total() const;
    /// The same kernel so many times.
    friend KernelParts operator*(const KernelParts& parts, double times) {
        return {parts.launch * times, parts.compute * times, parts.memory * times, parts.sharpness,
                parts.streamed * times};
    }
};

/// One constant of a form: where a fit starts, between what it stays, and how far (standard deviation of its logarithm)
/// it is believed to lie from the start before anything is measured.
struct FormConstant {
    std::string_view name;
    std::string_view unit;  ///< "s", "B/s", "" for a plain number
    double initial = 0, low = 0, high = 0;
    double prior_width = 1.0;
};

/// Sizes that place a kernel among others of its form, as logarithms or indicators.
inline constexpr std::size_t most_features = 8;
struct FormFeatures {
    std::array<double, most_features> values{};
    std::size_t count = 0;
};

/// How the time of one kind of kernel depends on its shape, as one file of model/cost/forms registers it.
/// `time` and `features` are pure; constants come in the order in which the form lists them.
struct KernelForm {
    std::string_view kernel;  ///< "gemm", "attention_prefill", ...: forms of one kernel compete
    std::vector<FormConstant> constants;
    KernelParts (*time)(const Operator& op, const GpuPeaks& peaks, std::span<const double> constants) = nullptr;
    std::vector<std::string_view> feature_names;
    FormFeatures (*features)(const Operator& op, const GpuPeaks& peaks) = nullptr;
    /// The regime of the kernel that runs the operator, with constants of its own; empty: the usual one.
    std::string_view (*path)(const Operator& op) = nullptr;
    /// For a fixed batch structure the time is affine in sequences and context, as step costs fold it.
    bool affine = false;
    /// Times jump between neighbouring sizes, as tiles and kernels change: what is learnt of one tells of the next
    /// without promising smoothness.
    bool jumps = false;
};

/// How alike a learner takes two sizes to be that lie so far apart, by the square of their distance in widths: exp(-d)
/// of kernels that jump, else exp(-d^2 / 2) (Rasmussen, Williams 2006, section 4.2.1).
[[nodiscard]] double likeness(double squared_distance, bool jumps);
/// What a learner adds to the logarithm of a form's time.
[[nodiscard]] double log_correction(const KernelForm& form, const ResidualLearner& learner, const Operator& op,
                                    const GpuPeaks& peaks);

/// All forms, by file name.
[[nodiscard]] const Registry<KernelForm>& kernel_forms();

}  // namespace plimsoll
