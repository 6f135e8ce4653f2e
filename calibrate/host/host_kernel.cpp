#include "calibrate/host/host_kernel.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <stdexcept>

namespace plimsoll {
namespace {

/// Below this share of the usual clock the processor is held back; estimates scatter by a few percent.
constexpr double full_clock = 0.85;
/// What a team may take beyond its busiest thread: a wake-up somewhat later than the promptest, a short interrupt.
constexpr Seconds slack(50e-6);
constexpr double relative_slack = 0.05;

template <class T>
T read(const unsigned char* bytes) {
    T value;
    std::memcpy(&value, bytes, sizeof value);
    return value;
}

}  // namespace

HostKernel::HostKernel(const KernelPoint& point, int repeats)
    : kernels_(*instruction_set(point.instructions, "instructions").kernels),
      team_(std::max(1, static_cast<int>(point.shape.ranks))),
      cold_(point.cold),
      repeats_(repeats) {}

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

NumberType number_type(const std::string& dtype) {
    if (dtype == "fp32") return NumberType::fp32;
    if (dtype == "fp16") return NumberType::fp16;
    if (dtype == "bf16") return NumberType::bf16;
    if (dtype == "int8") return NumberType::int8;
    throw std::runtime_error("no numbers of type " + dtype + " on a processor");
}

double number_at(const void* numbers, NumberType type, std::int64_t index) {
    const auto* bytes = static_cast<const unsigned char*>(numbers) + index * number_bytes(type);
    if (type == NumberType::int8) return static_cast<std::int8_t>(*bytes);
    if (type == NumberType::fp32) return static_cast<double>(read<float>(bytes));
    const auto bits = read<std::uint16_t>(bytes);
    if (type == NumberType::bf16)
        return static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16U));
    const int exponent = bits >> 10U & 0x1F, fraction = bits & 0x3FF;
    const double magnitude = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
    return (bits & 0x8000U) != 0 ? -magnitude : magnitude;
}

}  // namespace plimsoll
