#include <algorithm>
#include <cmath>
#include <vector>

#include "simulator/metrics.hpp"

namespace plimsoll {

/// Where the counted part begins: the first mark behind the warm-up, at most half of the run.
Batches Metrics::batches(bool& unsettled) const {
    Batches result;
    result.complete = batch_;
    if (settings_.warm_up != WarmUp::automatic) return result;
    const std::uint64_t warm_up = std::max(ttft_course_.warm_up(), e2e_course_.warm_up());
    if (warm_up == 0) return result;
    const auto marks = std::min<std::uint64_t>(joins_, Batches::marks);
    unsettled = true;
    for (std::uint64_t age = marks; age-- > 0;) {
        const std::uint32_t cut = (Batches::most / 2) >> age;
        if (2 * cut > batch_) break;
        result.cut = cut;
        result.mark = static_cast<std::uint32_t>((joins_ - 1 - age) % Batches::marks);
        unsettled = cut * batch_size_ < warm_up;
        if (!unsettled) break;
    }
    return result;
}

Report Metrics::report() const {
    Report report;
    const Batches batches = this->batches(report.unsettled);
    report.from = batches.cut > 0 ? batch_end_[batches.cut - 1] : from_;
    report.to = now_;
    report.warm_up_requests = std::min(seen_, skipped_) + batches.cut * batch_size_;
    for (std::size_t i = 0; i < samples_.size(); ++i) report.measures[i] = samples_[i].summary(batches);
    report_totals(report, batches);
    report_rates(report, batches);
    report_classes(report, batches);
    return report;
}

void Metrics::report_totals(Report& report, const Batches& batches) const {
    Totals all;
    for (std::uint32_t i = batches.cut; i < Batches::most; ++i) all += totals_[i];
    report.finished = all.finished;
    report.unanswered = all.unanswered;
    report.preemptions = all.preemptions;
    report.iterations = all.iterations;
    report.strides = all.strides;
    report.prompt_tokens = all.prompt_tokens;
    report.output_tokens = all.output_tokens;
    report.found_tokens = all.found_tokens;
    report.waiting_most = waiting_most_;
    report.kv_blocks_most = kv_blocks_most_;
    if (all.iterations > 0) report.batch_mean = all.sequence_steps / static_cast<double>(all.iterations);
    LogHistogram sizes = step_sizes_;
    if (batches.mark) sizes.subtract(step_size_marks_[*batches.mark]);
    for (std::size_t i = 0; i < reported_quantiles.size(); ++i)
        report.batch_percentiles[i] = std::floor(sizes.quantile(reported_quantiles[i]));
    const double time = (report.to - report.from).value();
    if (!(time > 0)) return;
    const double replica_time = time * static_cast<double>(std::max<std::size_t>(1, gaps_.size()));
    report.busy_share = all.busy / replica_time;
    report.kv_blocks_mean = all.kv_time / replica_time;
    report.running_mean = all.running_time / replica_time;
    // Little's law.
    const auto finished = static_cast<double>(report.finished);
    report.in_system_mean = report[Measure::e2e].mean.value * finished / time;
    report.waiting_mean = report[Measure::queue].mean.value * finished / time;
}

void Metrics::report_rates(Report& report, const Batches& batches) const {
    std::vector<double> times, ended, finished, unanswered, good, output, tokens, prompt, found;
    for (std::uint32_t i = batches.cut; i < batches.complete; ++i) {
        const Seconds begin = i == 0 ? from_ : batch_end_[i - 1];
        const Totals& totals = totals_[i];
        times.push_back((batch_end_[i] - begin).value());
        finished.push_back(static_cast<double>(totals.finished));
        unanswered.push_back(static_cast<double>(totals.unanswered.all()));
        ended.push_back(static_cast<double>(totals.finished + totals.unanswered.all()));
        good.push_back(static_cast<double>(totals.good));
        output.push_back(static_cast<double>(totals.output_tokens));
        prompt.push_back(static_cast<double>(totals.prompt_tokens));
        found.push_back(static_cast<double>(totals.found_tokens));
        tokens.push_back(static_cast<double>(totals.output_tokens + totals.prompt_tokens));
    }
    const double time = (report.to - report.from).value();
    // The interval is of the whole batches, the value of all that was counted.
    const auto rate = [&](const std::vector<double>& counts, double all) {
        return Estimate{time > 0 ? all / time : 0.0, batched_ratio(counts, times).half_width};
    };
    double all_good = 0;
    for (std::uint32_t i = batches.cut; i < Batches::most; ++i) all_good += static_cast<double>(totals_[i].good);
    report.request_rate = rate(finished, static_cast<double>(report.finished));
    report.output_token_rate = rate(output, static_cast<double>(report.output_tokens));
    report.total_token_rate = rate(tokens, static_cast<double>(report.output_tokens + report.prompt_tokens));
    report.goodput = rate(good, all_good);
    const double all_ended = static_cast<double>(report.finished + report.unanswered.all());
    report.error_rate = {all_ended > 0 ? static_cast<double>(report.unanswered.all()) / all_ended : 0.0,
                         batched_ratio(unanswered, ended).half_width};
    const auto asked = static_cast<double>(report.prompt_tokens);
    report.hit_rate = {asked > 0 ? static_cast<double>(report.found_tokens) / asked : 0.0,
                       batched_ratio(found, prompt).half_width};
}

void Metrics::report_classes(Report& report, const Batches& batches) const {
    const double time = (report.to - report.from).value();
    for (std::size_t i = 0; i < classes_.size(); ++i) {
        ClassReport one;
        for (std::uint32_t j = batches.cut; j < Batches::most; ++j) {
            one.finished += classes_[i].counts[j].finished;
            one.unanswered += classes_[i].counts[j].unanswered;
            one.good += classes_[i].counts[j].good;
        }
        if (time > 0) one.goodput = PerSecond(static_cast<double>(one.good) / time);
        for (std::size_t k = 0; k < metric_names.size(); ++k) {
            LogHistogram histogram = classes_[i].latencies[k];
            double sum = classes_[i].sums[k];
            if (batches.mark) {
                histogram.subtract(class_marks_[*batches.mark][i].latencies[k]);
                sum -= class_marks_[*batches.mark][i].sums[k];
            }
            Percentiles& percentiles = one.latencies[static_cast<Metric>(k)];
            const auto count = static_cast<double>(histogram.count());
            if (count > 0) percentiles[Statistic::mean] = Seconds(sum / count);
            for (std::size_t q = 0; q < reported_quantiles.size(); ++q)
                percentiles[static_cast<Statistic>(q + 1)] = Seconds(histogram.quantile(reported_quantiles[q]));
        }
        report.classes.push_back(one);
    }
}

}  // namespace plimsoll
