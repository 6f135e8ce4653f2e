#include "model/cost/causes.hpp"

#include <algorithm>
#include <cmath>

namespace plimsoll {
namespace {

template <class T>
double magnitude(T value) {
    if constexpr (requires { value.value(); })
        return value.value();
    else
        return value;
}

/// Deviation of the logarithm of a lognormal number with the constant's mean and deviation; none is known of zero.
template <class T>
double logarithmic(const Sourced<T>& constant) {
    const double value = magnitude(constant.value);
    const double relative = value > 0 ? magnitude(constant.standard_deviation) / value : 0.0;
    return std::sqrt(std::log1p(relative * relative));
}

/// Collective times that state no deviation, by the origin of the curve: two laboratories' tables of one machine
/// differ by 9 to 17 % (another version of the library by 4 to 12 %), the rings derived from links and the sums of
/// half the ranks miss measured ones by 20 to 26 % (pure latency + bandwidth, NVSwitch).
double of_collectives(Origin origin) {
    switch (origin) {
        case Origin::measured_here:
            return 0.08;
        case Origin::measured_elsewhere:
        case Origin::fitted:
            return 0.15;
        default:
            return 0.25;
    }
}

/// The weakest origin of what a step sends between GPUs.
Origin of_links(const Deployment& d) {
    for (const CollectiveCurve& curve : d.node->collectives)
        if (curve.ranks == d.tensor_parallel) return curve.origin;
    return Origin::estimated;
}

}  // namespace

TimeFactors::TimeFactors(const ByCause<double>& deviations, const ByCause<double>& z, const ByCause<double>& drawn) {
    for (std::size_t i = 0; i < cause_count; ++i) {
        const double d = deviations.values[i];
        factors_.values[i] = std::exp(d * z.values[i] - 0.5 * d * d * drawn.values[i]);
    }
}

ByCause<double> deviations(const Deployment& d) {
    const EfficiencyClass& c = *d.efficiency;
    const Engine::Host& host = d.engine->host;
    ByCause<double> result;
    result[Cause::gemm_compute] =
        std::hypot(logarithmic(c.gemm.compute_efficiency),
                   is_four_bit(d.weights) ? c.dequantization.standard_deviation / (1.0 + c.dequantization.value) : 0.0);
    result[Cause::gemm_memory] = logarithmic(c.gemm.memory_efficiency);
    result[Cause::prefill_attention] = logarithmic(c.prefill_attention.compute_efficiency);
    result[Cause::decode_attention] = logarithmic(c.decode_attention.memory_efficiency);
    result[Cause::elementwise] = logarithmic(c.elementwise.memory_efficiency);
    result[Cause::kernel_launch] = logarithmic(c.gemm.launch);
    result[Cause::engine_kernels] = logarithmic(d.engine->kernel_efficiency);
    if (d.gpus_per_instance() > 1) result[Cause::links] = of_collectives(of_links(d));
    result[Cause::host_step] = logarithmic(host.per_step);
    result[Cause::host_sequence] = logarithmic(host.per_sequence);
    result[Cause::host_prefill] = logarithmic(host.per_prefill);
    result[Cause::host_request] = logarithmic(host.per_request);
    result[Cause::host_layer] = logarithmic(host.per_layer);
    result[Cause::host_speed] = logarithmic(d.node->host_speed);
    return result;
}

}  // namespace plimsoll
