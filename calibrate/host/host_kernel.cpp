#include "calibrate/host/host_kernel.hpp"

#include <algorithm>
#include <bit>
#include <stdexcept>

namespace plimsoll {
namespace {

/// Below this share of the usual clock the processor is held back; estimates scatter by a few percent.
constexpr double full_clock = 0.85;
/// What a team may take beyond its busiest thread: a wake-up somewhat later than the promptest, a short interrupt.
constexpr Seconds slack(50e-6);
constexpr double relative_slack = 0.05;

float from_bf16(std::uint16_t bits) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16U);
}

/// Exact but for infinities and what is no number, which no operand is; compilers make vectors of it.
float from_fp16(std::uint16_t bits) {
    constexpr float exponent_bias = 0x1p112F;  // 2^(127 - 15)
    const auto magnitude = static_cast<std::uint32_t>(bits & 0x7FFFU) << 13U;
    const float value = std::bit_cast<float>(magnitude) * exponent_bias;
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) | static_cast<std::uint32_t>(bits & 0x8000U)
                                                                          << 16U);
}

template <class Narrow, class Widen>
void widen(const void* numbers, std::size_t count, float* expanded, Widen one) {
    const auto* narrow = static_cast<const Narrow*>(numbers);
    for (std::size_t i = 0; i < count; ++i) expanded[i] = one(narrow[i]);
}

}  // namespace

HostKernel::HostKernel(const KernelPoint& point, int repeats)
    : team_(std::max(1, static_cast<int>(point.shape.ranks))), cold_(point.cold), repeats_(repeats) {}

Reading HostKernel::run() {
    refresh();
    const double clock = estimated_clock_mhz();
    clocks_.insert(std::upper_bound(clocks_.begin(), clocks_.end(), clock), clock);
    const TeamTime time = team_.run([this](int thread) {
        for (int i = 0; i < repeats_; ++i) share(thread, team_.threads());
    });
    const Seconds wake = time.elapsed - time.busiest;
    shortest_wake_ = std::min(shortest_wake_.value_or(wake), wake);
    const bool slow = clock < full_clock * clocks_[clocks_.size() / 2];
    const bool disturbed = wake - *shortest_wake_ > slack + time.busiest * relative_slack;
    return {(time.busiest + *shortest_wake_) / static_cast<double>(repeats_), clock, slow, disturbed};
}

std::size_t bytes_of_dtype(const std::string& dtype) {
    if (dtype == "fp32") return 4;
    if (dtype == "fp16" || dtype == "bf16") return 2;
    if (dtype == "int8") return 1;
    throw std::runtime_error("no numbers of type " + dtype + " on a processor");
}

void expand(const void* numbers, const std::string& dtype, std::size_t count, float* expanded) {
    if (bytes_of_dtype(dtype) == 4)
        std::copy_n(static_cast<const float*>(numbers), count, expanded);
    else if (dtype == "fp16")
        widen<std::uint16_t>(numbers, count, expanded, from_fp16);
    else if (dtype == "bf16")
        widen<std::uint16_t>(numbers, count, expanded, from_bf16);
    else
        widen<std::int8_t>(numbers, count, expanded, [](std::int8_t number) { return static_cast<float>(number); });
}

double number_at(const void* numbers, const std::string& dtype, std::size_t index) {
    float number = 0;
    expand(static_cast<const unsigned char*>(numbers) + index * bytes_of_dtype(dtype), dtype, 1, &number);
    return number;
}

}  // namespace plimsoll
