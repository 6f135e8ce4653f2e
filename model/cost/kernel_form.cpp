#include "model/cost/kernel_form.hpp"

#include <algorithm>
#include <cmath>

namespace plimsoll {

GpuPeaks peaks_of(const Gpu& gpu, Dtype arithmetic) {
    return {gpu.peak_of(arithmetic).value, gpu.memory_bandwidth.value, gpu.l2,
            static_cast<double>(gpu.multiprocessors)};
}

Seconds KernelParts::total() const {
    const double a = compute.value(), b = memory.value();
    const double larger = std::max(a, b), smaller = std::min(a, b);
    if (smaller <= 0.0) return launch + streamed + Seconds(larger);
    return launch + streamed + Seconds(larger * std::pow(1.0 + std::pow(smaller / larger, sharpness), 1.0 / sharpness));
}

double likeness(double squared_distance, bool jumps) {
    return std::exp(jumps ? -std::sqrt(std::max(0.0, squared_distance)) : -0.5 * squared_distance);
}

double log_correction(const KernelForm& form, const ResidualLearner& learner, const Operator& op,
                      const GpuPeaks& peaks) {
    if (learner.weights.empty()) return 0.0;
    const FormFeatures features = form.features(op, peaks);
    // Sizes that were measured may differ from the range's ends in the last bit of their logarithm.
    constexpr double slack = 1e-9;
    for (std::size_t f = 0; f < features.count; ++f)
        if (features.values[f] < learner.low[f] - slack || features.values[f] > learner.high[f] + slack) return 0.0;
    double sum = 0.0;
    const double* center = learner.centers.data();
    for (const double weight : learner.weights) {
        double squares = 0.0;
        for (std::size_t f = 0; f < features.count; ++f) {
            const double distance = (features.values[f] - *center++) / learner.widths[f];
            squares += distance * distance;
        }
        sum += weight * likeness(squares, form.jumps);
    }
    return std::clamp(sum, -learner.bound, learner.bound);
}

}  // namespace plimsoll
