#include <algorithm>
#include <limits>

#include "simulator/simulator.hpp"

namespace plimsoll {
namespace {

using Results = std::span<const SimulationResult>;

template <class Figure>
Estimate over(Results results, Figure figure) {
    std::vector<double> samples;
    samples.reserve(results.size());
    for (const SimulationResult& result : results) samples.push_back(figure(result.report));
    return mean_of(samples);
}

MeasureSummary combined_measure(Results results, std::size_t m) {
    MeasureSummary sum;
    sum.least = std::numeric_limits<double>::infinity();
    sum.exact = true;
    for (const SimulationResult& result : results) {
        const MeasureSummary& one = result.report.measures[m];
        sum.count += one.count;
        sum.least = std::min(sum.least, one.least);
        sum.most = std::max(sum.most, one.most);
        sum.exact = sum.exact && one.exact;
        for (std::size_t q = 0; q < reported_quantiles.size(); ++q)
            sum.percentiles[q].few = sum.percentiles[q].few || one.percentiles[q].few;
    }
    sum.mean = over(results, [m](const Report& r) { return r.measures[m].mean.value; });
    for (std::size_t q = 0; q < reported_quantiles.size(); ++q) {
        const Estimate e = over(results, [m, q](const Report& r) { return r.measures[m].percentiles[q].value; });
        sum.percentiles[q].value = e.value;
        sum.percentiles[q].ci95 = {e.low(), e.high()};
    }
    return sum;
}

void add_counts(const SimulationResult& one, SimulationResult& sum) {
    sum.interrupted = sum.interrupted || one.interrupted;
    for (auto counter :
         {&ClusterCounts::requests, &ClusterCounts::refused, &ClusterCounts::iterations, &ClusterCounts::events})
        sum.counts.*counter += one.counts.*counter;
    for (auto counter :
         {&ClusterCounts::timed_out, &ClusterCounts::lost, &ClusterCounts::retries, &ClusterCounts::resubmitted,
          &ClusterCounts::failures, &ClusterCounts::transfers, &ClusterCounts::transferred_tokens})
        sum.counts.*counter += one.counts.*counter;
    sum.counts.end = std::max(sum.counts.end, one.counts.end);
    sum.counts.stopped = sum.counts.stopped || one.counts.stopped;
    Report& r = sum.report;
    r.to = std::max(r.to, one.report.to);
    r.unsettled = r.unsettled || one.report.unsettled;
    for (auto counter : {&Report::warm_up_requests, &Report::finished, &Report::preemptions, &Report::iterations,
                         &Report::strides, &Report::prompt_tokens, &Report::output_tokens, &Report::found_tokens})
        r.*counter += one.report.*counter;
    r.unanswered += one.report.unanswered;
    r.waiting_most = std::max(r.waiting_most, one.report.waiting_most);
    r.kv_blocks_most = std::max(r.kv_blocks_most, one.report.kv_blocks_most);
}

/// One class over the runs: counts added, the rest averaged over those in which it had answers.
ClassReport combined_class(Results results, std::size_t index) {
    ClassReport sum;
    double answering = 0;
    for (const SimulationResult& result : results) {
        const ClassReport& one = result.report.classes[index];
        sum.finished += one.finished;
        sum.good += one.good;
        sum.unanswered += one.unanswered;
        sum.goodput += one.goodput / static_cast<double>(results.size());
        answering += one.finished > 0 ? 1.0 : 0.0;
    }
    for (std::size_t m = 0; m < metric_names.size(); ++m)
        for (std::size_t s = 0; s < statistic_names.size(); ++s) {
            Seconds& value = sum.latencies[static_cast<Metric>(m)][static_cast<Statistic>(s)];
            for (const SimulationResult& result : results) {
                const ClassReport& one = result.report.classes[index];
                if (one.finished > 0)
                    value += one.latencies[static_cast<Metric>(m)][static_cast<Statistic>(s)] / answering;
            }
        }
    return sum;
}

}  // namespace

SimulationResult combined(std::span<const SimulationResult> results) {
    PLIMSOLL_ASSERT(!results.empty());
    if (results.size() == 1) return results.front();
    SimulationResult sum;
    for (const SimulationResult& one : results) add_counts(one, sum);
    Report& report = sum.report;
    report.from = Seconds(over(results, [](const Report& r) { return r.from.value(); }).value);
    for (std::size_t m = 0; m < measure_names.size(); ++m) report.measures[m] = combined_measure(results, m);
    for (auto rate : {&Report::request_rate, &Report::output_token_rate, &Report::total_token_rate, &Report::goodput,
                      &Report::error_rate, &Report::hit_rate})
        report.*rate = over(results, [rate](const Report& r) { return (r.*rate).value; });
    for (auto figure : {&Report::batch_mean, &Report::running_mean, &Report::waiting_mean, &Report::in_system_mean,
                        &Report::kv_blocks_mean, &Report::busy_share})
        report.*figure = over(results, [figure](const Report& r) { return r.*figure; }).value;
    for (std::size_t q = 0; q < reported_quantiles.size(); ++q)
        report.batch_percentiles[q] = over(results, [q](const Report& r) { return r.batch_percentiles[q]; }).value;
    for (std::size_t i = 0; i < results.front().report.classes.size(); ++i)
        report.classes.push_back(combined_class(results, i));
    return sum;
}

}  // namespace plimsoll
