#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <vector>

#include "calibrate/host/host_kernel.hpp"
#include "calibrate/processor_entries.hpp"

namespace plimsoll {
namespace {

using Chosen = std::function<bool(const KernelPoint&)>;
using Work = std::function<double(const KernelPoint&)>;

double flop_of(const KernelPoint& point) {
    const KernelShape& s = point.shape;
    const auto number = [](std::int64_t value) { return static_cast<double>(value); };
    if (point.kernel == KernelClass::gemm) return 2.0 * number(s.m) * number(s.n) * number(s.k);
    const double pairs = number(s.query) * number(s.kv - s.query) + number(s.query) * number(s.query + 1) / 2.0;
    return 4.0 * number(s.batch) * number(s.heads) * number(s.head_dim) * pairs;
}

/// Bytes that must come from memory: the weights, the cache, or what the point says.
double bytes_of(const KernelPoint& point) {
    const KernelShape& s = point.shape;
    const auto size = [](const std::string& dtype) { return static_cast<double>(number_bytes(number_type(dtype))); };
    if (point.kernel == KernelClass::gemm) return static_cast<double>(s.n * s.k) * size(point.dtype);
    if (point.kernel == KernelClass::attention_decode)
        return static_cast<double>(2 * s.batch * s.kv * s.kv_heads * s.head_dim) * size(point.kv_dtype);
    return static_cast<double>(s.bytes);
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const std::size_t middle = values.size() / 2;
    return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2.0;
}

/// Median and robust standard deviation.
MeasuredRate summary(const std::vector<double>& values) {
    const double middle = median(values);
    std::vector<double> away;
    away.reserve(values.size());
    for (const double value : values) away.push_back(std::abs(value - middle));
    return {middle, 1.4826 * median(away)};
}

class Rates {
  public:
    Rates(std::span<const Measured> samples, const SampleLabels& labels)
        : samples_(samples), threads_(labels.threads), run_to_run_(labels.run_to_run) {}

    /// The best point's median over rounds, with how far its rounds lie apart and runs may. Rounds are compared by one
    /// point, since the last of them may have been cut short before the best ones.
    [[nodiscard]] std::optional<MeasuredRate> best(const Chosen& chosen, const Work& work) const {
        std::map<std::array<std::int64_t, 4>, Rounds> by_point;
        for_each(chosen, [&](const Measured& measured) {
            const KernelShape& s = measured.sample.point.shape;
            Rounds& rounds = by_point[{s.m, s.n, s.k, s.bytes}];
            rounds.rates.push_back(work(measured.sample.point) / measured.sample.median.value());
            rounds.disturbed += measured.sample.disturbed;
        });
        if (by_point.empty()) return std::nullopt;
        const auto& [point, rounds] = *std::max_element(
            by_point.begin(), by_point.end(),
            [](const auto& a, const auto& b) { return median(a.second.rates) < median(b.second.rates); });
        const auto [least, most] = std::minmax_element(rounds.rates.begin(), rounds.rates.end());
        const double value = median(rounds.rates), between = (*most - *least) / 2.0;
        const double disturbed = rounds.disturbed / static_cast<double>(rounds.rates.size());
        return MeasuredRate{value, std::hypot(between, run_to_run_ * value, disturbed * disturbed_deviation * value)};
    }

    /// Work a second of the chosen points over a reference, at most 1.
    [[nodiscard]] std::optional<MeasuredRate> share(const Chosen& chosen, const Work& work,
                                                    const Work& reference) const {
        std::vector<double> shares;
        for_each(chosen, [&](const Measured& measured) {
            const KernelPoint& point = measured.sample.point;
            shares.push_back(work(point) / measured.sample.median.value() / reference(point));
        });
        if (shares.empty()) return std::nullopt;
        MeasuredRate rate = summary(shares);
        rate.value = std::clamp(rate.value, 0.001, 1.0);
        return rate;
    }

    [[nodiscard]] std::vector<double> values(const Chosen& chosen,
                                             const std::function<double(const Sample&)>& value) const {
        std::vector<double> all;
        for_each(chosen, [&](const Measured& measured) { all.push_back(value(measured.sample)); });
        return all;
    }

  private:
    /// One point in all rounds.
    struct Rounds {
        std::vector<double> rates;
        double disturbed = 0;
    };

    void for_each(const Chosen& chosen, const std::function<void(const Measured&)>& use) const {
        for (const Measured& measured : samples_)
            if (!measured.sample.timed_out && measured.sample.point.shape.ranks == threads_ &&
                chosen(measured.sample.point))
                use(measured);
    }
    std::span<const Measured> samples_;
    int threads_;
    double run_to_run_;
};

Chosen of(KernelClass kernel) {
    return [kernel](const KernelPoint& point) { return point.kernel == kernel; };
}

std::map<std::string, MeasuredRate> peaks_of(const Rates& rates) {
    std::map<std::string, MeasuredRate> peaks;
    for (const std::string dtype : {"fp32", "fp16", "bf16", "int8"})
        if (const auto peak = rates.best(
                [&](const KernelPoint& p) { return p.kernel == KernelClass::gemm && p.dtype == dtype; }, flop_of))
            peaks[dtype] = *peak;
    return peaks;
}

std::optional<MeasuredRate> bandwidth_of(const Rates& rates) {
    std::int64_t largest = 0;
    const auto is_read = [](const KernelPoint& point) {
        return point.kernel == KernelClass::memory && point.cold && point.path == "read";
    };
    static_cast<void>(rates.values(is_read, [&](const Sample& sample) {
        largest = std::max(largest, sample.point.shape.bytes);
        return 0.0;
    }));
    return rates.best([&](const KernelPoint& point) { return is_read(point) && point.shape.bytes == largest; },
                      bytes_of);
}

}  // namespace

std::optional<ProcessorRates> processor_rates(std::span<const Measured> samples, const SampleLabels& labels) {
    const Rates rates(samples, labels);
    ProcessorRates result;
    result.peaks = peaks_of(rates);
    const auto bandwidth = bandwidth_of(rates);
    const std::vector<double> launches =
        rates.values(of(KernelClass::launch), [](const Sample& sample) { return sample.median.value(); });
    if (result.peaks.empty() || !bandwidth || launches.empty()) return std::nullopt;
    result.bandwidth = *bandwidth;
    result.launch = summary(launches);
    constexpr double between_runs = 0.5;  // estimated: how far the wake-up of threads differs with what else runs
    result.launch.deviation = std::max(result.launch.deviation, between_runs * result.launch.value);
    result.clock_mhz = median(
        rates.values([](const KernelPoint&) { return true; }, [](const Sample& sample) { return sample.clock_mhz; }));
    const Work peak = [&](const KernelPoint& point) { return result.peaks.at(point.dtype).value; };
    const Work memory = [&](const KernelPoint&) { return result.bandwidth.value; };
    constexpr std::int64_t large = 64;
    result.gemm_compute = rates.share(
        [](const KernelPoint& p) { return p.kernel == KernelClass::gemm && p.shape.m >= large; }, flop_of, peak);
    result.gemm_memory = rates.share(
        [](const KernelPoint& p) { return p.kernel == KernelClass::gemm && p.shape.m == 1; }, bytes_of, memory);
    const auto multiplied = [&](const KernelPoint& p) {
        return p.kernel == KernelClass::attention_prefill && result.peaks.contains(p.dtype);
    };
    result.prefill_compute = rates.share(multiplied, flop_of, peak);
    result.decode_memory = rates.share(of(KernelClass::attention_decode), bytes_of, memory);
    result.elementwise_memory = rates.share(of(KernelClass::elementwise), bytes_of, memory);
    // A row of an fp32 product takes 2 n k flop, its weights 4 n k bytes.
    if (const auto fp32 = result.peaks.find("fp32"); fp32 != result.peaks.end())
        result.crossover = 2.0 * fp32->second.value / result.bandwidth.value;
    return result;
}

}  // namespace plimsoll
