#include "stepper_observed.hpp"

#include <algorithm>

namespace plimsoll {
namespace {

/// Quantiles interpolated between order statistics (Hyndman and Fan 1996, type 7).
Percentiles percentiles(std::vector<double>& values) {
    Percentiles result;
    if (values.empty()) return result;
    std::sort(values.begin(), values.end());
    double sum = 0;
    for (const double v : values) sum += v;
    const auto n = static_cast<double>(values.size());
    const auto at = [&](double q) {
        const double position = q * (n - 1);
        const auto low = static_cast<std::size_t>(position);
        const std::size_t high = std::min(low + 1, values.size() - 1);
        return Seconds(values[low] + (position - static_cast<double>(low)) * (values[high] - values[low]));
    };
    result[Statistic::mean] = Seconds(sum / n);
    result[Statistic::p50] = at(0.5);
    result[Statistic::p90] = at(0.9);
    result[Statistic::p95] = at(0.95);
    result[Statistic::p99] = at(0.99);
    return result;
}

}  // namespace

void Observed::sent(int request, double when) {
    if (request == plan_.warm_up) begin_ = when;
    if (request == plan_.requests) end_ = when;
}

void Observed::refused(int request) {
    ++result_.never_fit;
    if (request < plan_.requests) ++closed_;
}

void Observed::answered(int request, double sent, double first_token, double last_token, double output) {
    if (request >= plan_.requests) return;
    ++closed_;
    last_ = std::max(last_, last_token);
    if (request < plan_.warm_up) return;
    ttft_.push_back(first_token - sent);
    e2e_.push_back(last_token - sent);
    if (output > 1) tpot_.push_back((last_token - first_token) / (output - 1));
}

void Observed::passed(double begin, double seconds, double running) {
    ++result_.iterations;
    result_.largest_running = std::max(result_.largest_running, running);
    if (begin >= begin_ && begin < end_) running_time_ += seconds * running;
}

RunResult Observed::result() {
    result_.latencies[Metric::ttft] = percentiles(ttft_);
    result_.latencies[Metric::tpot] = percentiles(tpot_);
    result_.latencies[Metric::e2e] = percentiles(e2e_);
    const double counted = static_cast<double>(plan_.requests - plan_.warm_up);
    const double end = std::min(end_, last_);
    if (end > begin_) {
        result_.request_rate = PerSecond(counted / (end - begin_));
        result_.mean_running = running_time_ / (end - begin_);
    }
    return result_;
}

}  // namespace plimsoll
