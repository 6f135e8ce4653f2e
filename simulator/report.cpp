#include "simulator/report.hpp"

namespace plimsoll {

Percentiles MeasureSummary::percentiles_of() const {
    static_assert(static_cast<std::size_t>(Statistic::p99) == reported_quantiles.size());
    Percentiles result;
    result[Statistic::mean] = Seconds(mean.value);
    for (std::size_t i = 0; i < percentiles.size(); ++i)
        result[static_cast<Statistic>(i + 1)] = Seconds(percentiles[i].value);
    return result;
}

Latencies Report::latencies() const {
    Latencies result;
    result[Metric::ttft] = (*this)[Measure::ttft].percentiles_of();
    result[Metric::tpot] = (*this)[Measure::tpot].percentiles_of();
    result[Metric::e2e] = (*this)[Measure::e2e].percentiles_of();
    return result;
}

}  // namespace plimsoll
