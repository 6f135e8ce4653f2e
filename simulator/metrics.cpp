#include "simulator/metrics.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "simulator/request_tag.hpp"

namespace plimsoll {
namespace {

constexpr std::size_t metric_count = metric_names.size();

double tpot_of(const Request& request) {
    return (request.finished - request.first_token).value() / static_cast<double>(request.output - 1);
}

}  // namespace

Metrics::Totals& Metrics::Totals::operator+=(const Totals& other) {
    busy += other.busy;
    kv_time += other.kv_time;
    running_time += other.running_time;
    sequence_steps += other.sequence_steps;
    iterations += other.iterations;
    strides += other.strides;
    preemptions += other.preemptions;
    finished += other.finished;
    unanswered += other.unanswered;
    good += other.good;
    prompt_tokens += other.prompt_tokens;
    output_tokens += other.output_tokens;
    found_tokens += other.found_tokens;
    return *this;
}

Metrics::ClassCounts& Metrics::ClassCounts::operator+=(const ClassCounts& other) {
    finished += other.finished;
    good += other.good;
    unanswered += other.unanswered;
    return *this;
}

Metrics::Metrics(MetricsSettings settings)
    : settings_(std::move(settings)),
      skipped_(settings_.warm_up == WarmUp::fixed ? settings_.warm_up_requests : 0),
      classes_(settings_.promises.size() > 1 ? settings_.promises.size() : 0),
      class_marks_(Batches::marks) {
    samples_.reserve(measure_names.size());
    for (std::size_t i = 0; i < measure_names.size(); ++i) samples_.emplace_back(settings_.most_exact);
    for (const Slo& slo : settings_.promises) {
        Limits limits{};
        limits.most.fill(std::numeric_limits<double>::infinity());
        for (const SloTerm& term : slo.terms) {
            double& most = limits.most[static_cast<std::size_t>(term.metric)];
            most = std::min(most, term.limit.value());
        }
        limits_.push_back(limits);
    }
}

void Metrics::stride(const Stride& stride) {
    if (gaps_.size() <= stride.replica) gaps_.resize(stride.replica + 1);
    if (!counting()) {
        gaps_[stride.replica].stride(stride, [](double, double, std::uint64_t, std::uint64_t) {});
        return;
    }
    now_ = std::max(now_, stride.end);
    gaps_[stride.replica].stride(stride, [&](double first, double growth, std::uint64_t count, std::uint64_t weight) {
        of(Measure::itl).add_many(first, growth, count, weight);
    });
    Totals& totals = totals_[batch_];
    const double time = (stride.end - std::max(stride.start, from_)).value();
    const std::uint32_t sequences = stride.decodes + stride.prompt_chunks;
    const auto steps = static_cast<double>(stride.steps);
    // Blocks grow evenly over the steps of a stride.
    const double grown = settings_.block_tokens == 0 ? 0.0 : (steps - 1.0) * stride.decodes / settings_.block_tokens;
    totals.busy += time;
    totals.kv_time += time * std::max(0.0, static_cast<double>(stride.kv_blocks) - 0.5 * grown);
    totals.running_time += time * sequences;
    totals.sequence_steps += steps * sequences;
    totals.iterations += stride.steps;
    ++totals.strides;
    totals.preemptions += stride.preempted;
    step_sizes_.add(sequences, stride.steps);
    waiting_most_ = std::max(waiting_most_, stride.waiting);
    kv_blocks_most_ = std::max(kv_blocks_most_, stride.kv_blocks);
}

void Metrics::finished(const Request& request) {
    if (gaps_.size() <= request.replica) gaps_.resize(request.replica + 1);
    gaps_[request.replica].finished(request);
    ++seen_;
    now_ = std::max(now_, request.finished);
    if (seen_ <= skipped_) {
        from_ = now_;
        return;
    }
    count_latencies(request);
    if (++in_batch_ == batch_size_) end_batch();
}

void Metrics::count_latencies(const Request& request) {
    std::array<double, metric_count> latencies{};
    latencies[0] = (request.first_token - request.arrival).value();
    latencies[1] = request.output > 1 ? tpot_of(request) : 0.0;
    latencies[2] = (request.finished - request.arrival).value();
    of(Measure::ttft).add(latencies[0]);
    if (request.output > 1) of(Measure::tpot).add(latencies[1]);
    of(Measure::e2e).add(latencies[2]);
    of(Measure::queue).add((request.scheduled - request.arrival).value());
    if (settings_.warm_up == WarmUp::automatic) {
        ttft_course_.add(latencies[0]);
        e2e_course_.add(latencies[2]);
    }
    Totals& totals = totals_[batch_];
    const bool good = within(request, latencies);
    ++totals.finished;
    totals.good += good ? 1 : 0;
    totals.prompt_tokens += request.prompt;
    totals.output_tokens += request.output;
    totals.found_tokens += request.found;
    if (!classes_.empty()) count_class(request, latencies, good);
}

bool Metrics::within(const Request& request, const std::array<double, metric_count>& latencies) const {
    const std::size_t index = RequestTag::of(request.tag).load_class;
    if (index >= limits_.size()) return true;
    bool good = true;
    for (std::size_t i = 0; i < metric_count; ++i) good = good && latencies[i] <= limits_[index].most[i];
    return good;
}

void Metrics::count_class(const Request& request, const std::array<double, metric_count>& latencies, bool good) {
    const std::size_t index = RequestTag::of(request.tag).load_class;
    if (index >= classes_.size()) return;
    ClassTotals& totals = classes_[index];
    ++totals.counts[batch_].finished;
    totals.counts[batch_].good += good ? 1 : 0;
    for (std::size_t i = 0; i < metric_count; ++i) {
        if (static_cast<Metric>(i) == Metric::tpot && request.output == 1) continue;
        totals.latencies[i].add(latencies[i]);
        totals.sums[i] += latencies[i];
    }
}

void Metrics::unanswered(const Request& request) {
    if (!counting()) return;
    now_ = std::max(now_, request.finished);
    totals_[batch_].unanswered.count(request.outcome);
    const std::size_t index = RequestTag::of(request.tag).load_class;
    if (index < classes_.size()) classes_[index].counts[batch_].unanswered.count(request.outcome);
}

void Metrics::end_batch() {
    in_batch_ = 0;
    batch_end_[batch_++] = now_;
    if (batch_ == Batches::most) join_batches();
    for (Sample& sample : samples_) sample.begin_batch(batch_);
}

void Metrics::join_batches() {
    const auto mark = static_cast<std::uint32_t>(joins_++ % Batches::marks);
    for (Sample& sample : samples_) sample.join_batches(mark);
    while (step_size_marks_.size() <= mark) step_size_marks_.emplace_back();
    step_size_marks_[mark] = step_sizes_;
    class_marks_[mark].resize(classes_.size());
    for (std::size_t i = 0; i < classes_.size(); ++i) {
        class_marks_[mark][i].latencies = classes_[i].latencies;
        class_marks_[mark][i].sums = classes_[i].sums;
        std::array<ClassCounts, Batches::most> joined{};
        for (std::size_t j = 0; j < Batches::most; ++j) joined[j / 2] += classes_[i].counts[j];
        classes_[i].counts = joined;
    }
    std::array<Totals, Batches::most> joined{};
    for (std::size_t i = 0; i < Batches::most; ++i) {
        joined[i / 2] += totals_[i];
        batch_end_[i / 2] = batch_end_[i];
    }
    totals_ = joined;
    batch_ = Batches::most / 2;
    batch_size_ *= 2;
}

void Metrics::clear() {
    for (Sample& sample : samples_) sample.clear();
    step_sizes_.clear();
    ttft_course_.clear();
    e2e_course_.clear();
    for (TokenGaps& gaps : gaps_) gaps.clear();
    for (ClassTotals& totals : classes_) {
        for (LogHistogram& histogram : totals.latencies) histogram.clear();
        totals.sums = {};
        totals.counts = {};
    }
    totals_ = {};
    batch_end_ = {};
    batch_ = 0;
    batch_size_ = 1;
    in_batch_ = joins_ = seen_ = kv_blocks_most_ = 0;
    waiting_most_ = 0;
    from_ = now_ = Seconds{};
}

}  // namespace plimsoll
