#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "simulator/observer.hpp"
#include "simulator/sample.hpp"
#include "simulator/token_gaps.hpp"
#include "simulator/warm_up.hpp"

namespace plimsoll {

/// What is left out at the start of a run.
enum class WarmUp {
    none,      ///< nothing: a benchmark client's view, ramp and drain included
    fixed,     ///< a number of finished requests
    automatic  ///< what MSER-5 says of TTFT and E2E, rounded up to a mark (Batches)
};

struct MetricsSettings {
    WarmUp warm_up = WarmUp::automatic;
    std::uint64_t warm_up_requests = 0;  ///< fixed
    std::vector<Slo> promises;           ///< of each class, in order; requests of further classes have no limits
    std::uint32_t block_tokens = 0;      ///< of a KV block, for its mean within a stride; 0: as at the stride's end
    std::size_t most_exact = 16'384;     ///< values of a measure up to which percentiles are exact
};

/// Counts what happens in a run, in memory that does not grow with it. Latency limits of promises judge goodput request
/// by request, whatever statistic they are meant for.
class Metrics final : public Observer {
  public:
    explicit Metrics(MetricsSettings settings = {});

    void stride(const Stride& stride) override;
    void finished(const Request& request) override;
    void unanswered(const Request& request) override;

    /// What was counted so far; may be asked at any time.
    [[nodiscard]] Report report() const;
    /// Forgets everything but the settings, and keeps the memory.
    void clear();

  private:
    /// All that adds up, over one batch.
    struct Totals {
        double busy = 0, kv_time = 0, running_time = 0;  ///< s; blocks s; sequences s
        double sequence_steps = 0;
        std::uint64_t iterations = 0, strides = 0, preemptions = 0;
        std::uint64_t finished = 0, good = 0, prompt_tokens = 0, output_tokens = 0;
        std::uint64_t found_tokens = 0;
        Unanswered unanswered;
        Totals& operator+=(const Totals& other);
    };
    /// Request latencies above which a promise is broken, in s.
    struct Limits {
        std::array<double, metric_names.size()> most;
    };
    struct ClassCounts {
        std::uint64_t finished = 0, good = 0;
        Unanswered unanswered;
        ClassCounts& operator+=(const ClassCounts& other);
    };
    struct ClassTotals {
        std::array<ClassCounts, Batches::most> counts{};
        std::array<LogHistogram, metric_names.size()> latencies;
        std::array<double, metric_names.size()> sums{};
    };
    struct ClassMark {
        std::array<LogHistogram, metric_names.size()> latencies;
        std::array<double, metric_names.size()> sums{};
    };

    [[nodiscard]] bool counting() const { return seen_ >= skipped_; }
    [[nodiscard]] Sample& of(Measure m) { return samples_[static_cast<std::size_t>(m)]; }
    void count_latencies(const Request& request);
    void count_class(const Request& request, const std::array<double, metric_names.size()>& latencies, bool good);
    [[nodiscard]] bool within(const Request& request, const std::array<double, metric_names.size()>& latencies) const;
    void end_batch();
    void join_batches();
    [[nodiscard]] Batches batches(bool& unsettled) const;
    void report_totals(Report& report, const Batches& batches) const;
    void report_rates(Report& report, const Batches& batches) const;
    void report_classes(Report& report, const Batches& batches) const;

    MetricsSettings settings_;
    std::vector<Limits> limits_;
    std::uint64_t skipped_;  ///< requests of a fixed warm-up

    std::vector<Sample> samples_;
    LogHistogram step_sizes_;
    std::vector<LogHistogram> step_size_marks_;
    Course ttft_course_, e2e_course_;
    std::vector<TokenGaps> gaps_;  ///< of each replica
    std::vector<ClassTotals> classes_;
    std::vector<std::vector<ClassMark>> class_marks_;

    std::array<Totals, Batches::most> totals_{};
    std::array<Seconds, Batches::most> batch_end_{};
    std::uint32_t batch_ = 0;  ///< the one under way
    std::uint64_t batch_size_ = 1, in_batch_ = 0, joins_ = 0;
    std::uint64_t seen_ = 0;
    std::uint32_t waiting_most_ = 0;
    std::uint64_t kv_blocks_most_ = 0;
    Seconds from_{}, now_{};
};

}  // namespace plimsoll
