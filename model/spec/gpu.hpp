#pragma once
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "model/base/sourced.hpp"
#include "model/base/units.hpp"
#include "model/spec/dtype.hpp"

namespace plimsoll {

class Fields;

/// One accelerator as hardware_db/gpus describes it.
struct Gpu {
    std::string name;
    std::vector<std::string> aliases;
    std::string vendor;
    std::string architecture;
    std::string form_factor;  ///< "pcie", "sxm", or "socket" for a processor
    std::string compute_capability;
    Bytes memory;                  ///< as on the label
    Sourced<Bytes> usable_memory;  ///< what the driver reports
    Sourced<BytesPerSecond> memory_bandwidth;
    Bytes l2;
    int multiprocessors = 0;
    PerSecond multiprocessor_clock;
    Sourced<Watts> power;
    std::array<Sourced<FlopPerSecond>, dtype_count> peak{};  ///< dense, by dtype; 0: unsupported
    std::optional<Sourced<FlopPerSecond>> half_sum_peak;     ///< of fp16 summed in fp16, where that is faster
    std::optional<Sourced<Dollars>> list_price;
    std::optional<Sourced<DollarsPerSecond>> rental;
    std::string efficiency_class;

    [[nodiscard]] const Sourced<FlopPerSecond>& peak_of(Dtype dtype) const {
        return peak[static_cast<std::size_t>(dtype)];
    }
    /// Whether weights of this type can be multiplied here, 4-bit ones after their expansion.
    [[nodiscard]] bool supports(Dtype weights) const {
        return peak_of(arithmetic_dtype(weights)).value > FlopPerSecond(0);
    }
};

[[nodiscard]] Gpu read_gpu(const Fields& fields);

/// Constants of the kernel forms of model/cost/roofline.hpp for a family of GPUs without a profile of their own.
struct EfficiencyClass {
    std::string name;
    std::vector<std::string> aliases;

    struct Gemm {
        Sourced<double> compute_efficiency;
        Sourced<double> memory_efficiency;
        Sourced<Seconds> launch;
        Sourced<double> sharpness;
    } gemm;

    struct PrefillAttention {
        Sourced<double> compute_efficiency;
        Sourced<double> memory_efficiency;
        Sourced<Seconds> launch;
        Sourced<Seconds> per_sequence;
        Sourced<double> query_half;    ///< tokens of query at which half the compute efficiency is reached
        Sourced<double> context_half;  ///< the same for the context
        Sourced<double> head_dim_exponent;
        Sourced<double> sharpness;
    } prefill_attention;

    struct DecodeAttention {
        Sourced<double> memory_efficiency;
        Sourced<double> compute_efficiency;
        Sourced<Seconds> launch;
        Sourced<Seconds> per_sequence;
        Sourced<double> group_pad;
        Sourced<double> sharpness;
    } decode_attention;

    struct Elementwise {
        Sourced<double> memory_efficiency;
        Sourced<Seconds> launch;
    } elementwise;

    Sourced<double> dequantization;  ///< extra arithmetic of 4-bit weights, fraction of the GEMM's own
};

[[nodiscard]] EfficiencyClass read_efficiency_class(const Fields& fields);

}  // namespace plimsoll
