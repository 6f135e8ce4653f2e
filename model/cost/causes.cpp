#include "model/cost/causes.hpp"

#include <algorithm>
#include <cmath>

#include "model/cost/beyond_measured.hpp"
#include "model/cost/kernel_choice.hpp"

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

/// Deviation of ln(measured / fitted) over points that the fit had not seen, from the middle 80 %: a few slow paths do
/// not make the rest uncertain. They hold the constants' errors too.
double of_residuals(const KernelModel& model) {
    // Weights that were not measured are what a forecast is about.
    const Residuals& residuals = model.shape_residuals.count > 0 ? model.shape_residuals : model.residuals;
    const std::vector<double>& q = residuals.quantiles;
    if (q.size() < 2) return residuals.mean_ape * 1.25;  // mean to root mean square of a normal law
    const auto at = [&](double share) {
        const double place = share * static_cast<double>(q.size() - 1);
        const std::size_t below = std::min(static_cast<std::size_t>(place), q.size() - 2);
        return q[below] + (q[below + 1] - q[below]) * (place - static_cast<double>(below));
    };
    constexpr double middle_80_percent = 2.5631;  // of the normal law, in deviations
    return (at(0.9) - at(0.1)) / middle_80_percent;
}

/// What a measured kernel may be off by as a whole, besides its residuals.
struct Spread {
    double other_version, other_library;
};
// One library in two versions differs by 4 to 12 % in single points, of which two thirds do not average out within a
// step. Libraries: the rows of A100 SXM 80 GB that vLLM 0.14, SGLang 0.5, TensorRT-LLM 1.0 and (GEMM) torch of another
// laboratory share. GEMM at the weights of 8B and 70B models: root mean square difference of two of them 5.2 % at one
// row and 11.6 % at 2048, of one of them from the middle 1 / sqrt(2) of that; attention 27 % in prefill and 39 % in
// decode (kv >= 256, beyond the L2).
// Experts: vLLM and TensorRT-LLM on the 113 shapes that both measured, 40 %.
constexpr Spread gemm_memory_spread{0.04, 0.04}, gemm_compute_spread{0.065, 0.08}, prefill_spread{0.065, 0.19},
    decode_spread{0.065, 0.28}, experts_spread{0.065, 0.28}, elementwise_spread{0.065, 0.1};
/// Two grouped products with the constants of single ones against 3700 rows of A100 and H200: the mean of the
/// logarithm's error is 0.5 to 0.9 by library, most of it too fast.
constexpr double experts_by_class = 0.6;

// Another GPU's constants with the peaks scaled: 7 % between H100 and H200, of one class; 20 % across generations.
constexpr double same_class_transfer = 0.07, stranger_transfer = 0.20;

/// Residuals repeat in every layer, so that they average out over the products of a layer only. On A100 they are nearly
/// independent of each other at the same number of rows (correlation 0.0 to 0.3), and with the shares of time of the
/// four products of a layer, 0.15 + 0.85 / 3 of the variance stays.
constexpr double stays_over_products = 0.66;

double of_measured(const MeasuredKernel& kernel, double residual_share, Spread spread) {
    const KernelModel& model = *kernel.models.front();
    double deviation = of_residuals(model) * residual_share;
    if (!kernel.own_library)
        deviation = std::hypot(deviation, spread.other_library);
    else if (model.origin != Origin::measured_here)
        deviation = std::hypot(deviation, spread.other_version);
    if (kernel.kinship == Kinship::same_class) deviation = std::hypot(deviation, same_class_transfer);
    return kernel.kinship == Kinship::stranger ? std::hypot(deviation, stranger_transfer) : deviation;
}

/// What a step sends between GPUs is of one size or two: nothing averages out of a fit's residuals.
double of_links(const Deployment& d) {
    const CollectiveBasis basis = collective_basis(d);
    if (!basis.measured) return of_collectives(basis.origin);
    const KernelModel& model = *basis.measured->models.front();
    const double transfer = basis.measured->kinship == Kinship::same_gpu ? 0.0 : same_class_transfer;
    return std::hypot(of_collectives(model.origin), of_residuals(model), transfer);
}

}  // namespace

TimeFactors::TimeFactors(const ByCause<double>& deviations, const ByCause<double>& z) {
    for (std::size_t i = 0; i < cause_count; ++i) factors_.values[i] = std::exp(deviations.values[i] * z.values[i]);
}

ByCause<double> deviations(const Deployment& d) {
    const EfficiencyClass& c = *d.efficiency;
    const Engine::Host& host = d.engine->host;
    ByCause<double> result;
    result[Cause::gemm_compute] =
        std::hypot(logarithmic(c.gemm.compute_efficiency),
                   is_expanded(d.weights) ? c.dequantization.standard_deviation / (1.0 + c.dequantization.value) : 0.0);
    result[Cause::gemm_memory] = logarithmic(c.gemm.memory_efficiency);
    result[Cause::prefill_attention] = logarithmic(c.prefill_attention.compute_efficiency);
    result[Cause::decode_attention] = logarithmic(c.decode_attention.memory_efficiency);
    result[Cause::elementwise] = logarithmic(c.elementwise.memory_efficiency);
    if (d.model && d.model->has_experts()) result[Cause::experts] = experts_by_class;
    if (const MeasuredKernels* measured = d.measured) {
        if (measured->gemm.known()) {
            result[Cause::gemm_compute] = of_measured(measured->gemm, stays_over_products, gemm_compute_spread);
            result[Cause::gemm_memory] = of_measured(measured->gemm, stays_over_products, gemm_memory_spread);
        }
        // One kernel of these a layer, the same in all: nothing averages out.
        if (measured->prefill_attention.known())
            result[Cause::prefill_attention] = of_measured(measured->prefill_attention, 1.0, prefill_spread);
        if (measured->decode_attention.known())
            result[Cause::decode_attention] = of_measured(measured->decode_attention, 1.0, decode_spread);
        if (measured->experts.known() && result[Cause::experts] > 0)
            result[Cause::experts] = of_measured(measured->experts, 1.0, experts_spread);
        if (measured->elementwise.known())
            result[Cause::elementwise] = of_measured(measured->elementwise, 1.0, elementwise_spread);
    }
    result[Cause::kernel_launch] = logarithmic(c.gemm.launch);
    result[Cause::engine_kernels] = logarithmic(d.engine->kernel_efficiency);
    if (d.gpus_per_instance() > 1) result[Cause::links] = of_links(d);
    result[Cause::host_step] = logarithmic(host.per_step);
    result[Cause::host_sequence] = logarithmic(host.per_sequence);
    result[Cause::host_prefill] = logarithmic(host.per_prefill);
    result[Cause::host_request] = logarithmic(host.per_request);
    result[Cause::host_front_end] = logarithmic(host.front_end);
    result[Cause::host_layer] = logarithmic(host.per_layer);
    result[Cause::host_speed] = logarithmic(d.node->host_speed);
    return result;
}

ByCause<double> deviations(const Deployment& d, const std::vector<Operator>& operators, const KernelTimes& kernels) {
    ByCause<double> result = deviations(d);
    constexpr double of_an_octave = 0.1;
    const auto widen = [&](Cause cause, OperatorKind kind) {
        const double octaves = octaves_beyond_measured(d, kind, operators, kernels);
        result[cause] = std::hypot(result[cause], of_an_octave * octaves);
    };
    widen(Cause::gemm_compute, OperatorKind::gemm);
    widen(Cause::gemm_memory, OperatorKind::gemm);
    widen(Cause::prefill_attention, OperatorKind::prefill_attention);
    widen(Cause::decode_attention, OperatorKind::decode_attention);
    return result;
}

}  // namespace plimsoll
