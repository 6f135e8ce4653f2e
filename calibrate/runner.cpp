#include "calibrate/runner.hpp"

#include <algorithm>
#include <random>
#include <set>
#include <stdexcept>

#include <fmt/format.h>

namespace plimsoll {
namespace {

/// Fisher-Yates with the engine's own numbers: the library's shuffle differs between libraries.
void shuffle(std::vector<Job>& jobs, std::size_t from, std::size_t to, std::mt19937_64& random) {
    for (std::size_t i = to; i > from + 1; --i) std::swap(jobs[i - 1], jobs[from + random() % (i - from)]);
}

/// Random within the more telling half and within the other.
void shuffle_halves(std::vector<Job>& jobs, std::mt19937_64& random) {
    shuffle(jobs, 0, jobs.size() / 2, random);
    shuffle(jobs, jobs.size() / 2, jobs.size(), random);
}

class Measuring {
  public:
    Measuring(const MeasuringPlan& plan, const MeasuringSeams& seams)
        : plan_(plan), seams_(seams), start_(seams.now()) {}

    Measurements run(const std::vector<Job>& jobs) {
        std::mt19937_64 random(plan_.seed);
        for (int round = 0; round < plan_.rounds || seams_.next_round; ++round) {
            std::vector<Job> order = round < plan_.rounds ? jobs : seams_.next_round(result_);
            if (order.empty()) break;
            shuffle_halves(order, random);
            if (!run_round(round, order)) break;
            ++result_.complete_rounds;
        }
        result_.took = elapsed();
        return std::move(result_);
    }

  private:
    [[nodiscard]] Seconds elapsed() const { return seams_.now() - start_; }

    /// False: the time is up or somebody stopped it.
    bool run_round(int round, const std::vector<Job>& jobs) {
        for (std::size_t i = 0; i < jobs.size(); ++i) {
            if (!(elapsed() < plan_.budget)) return false;
            if (!seams_.go_on({round, i, jobs.size(), elapsed(), &jobs[i]})) {
                result_.interrupted = true;
                return false;
            }
            if (unusable_.contains(key(jobs[i]))) continue;
            run_job(round, jobs[i]);
            if (!seams_.measured) continue;
            result_.took = elapsed();
            seams_.measured(result_);
        }
        return true;
    }

    void run_job(int round, const Job& job) {
        try {
            const std::unique_ptr<PreparedKernel> kernel = job.how->prepare(job.point);
            Sample sample = time_kernel(job.point, *kernel, plan_.rule, seams_.now);
            if (sample.times.empty()) return leave_out(job, "every reading was throttled", false);
            if (verified_.insert(key(job)).second) {
                sample.error = kernel->error();
                if (!(sample.error <= kernel->tolerance()))
                    return leave_out(job,
                                     fmt::format("its result is wrong: {:.2g} off the reference, {:.2g} allowed",
                                                 sample.error, kernel->tolerance()),
                                     true);
            }
            result_.samples.push_back({job.benchmark, round, std::move(sample)});
        } catch (const std::runtime_error& error) {
            leave_out(job, error.what(), true);
        }
    }

    void leave_out(const Job& job, const std::string& why, bool for_good) {
        result_.left_out.push_back({job.benchmark, job.point, why});
        if (for_good) unusable_.insert(key(job));
    }

    [[nodiscard]] static std::string key(const Job& job) {
        const KernelPoint& p = job.point;
        const KernelShape& s = p.shape;
        return fmt::format("{} {} {} {} {}", job.benchmark, p.path, p.dtype, p.kv_dtype, p.cold) +
               fmt::format(" {} {} {} {} {} {}", s.m, s.n, s.k, s.batch, s.query, s.kv) +
               fmt::format(" {} {} {} {} {} {} {}", s.heads, s.kv_heads, s.head_dim, s.experts, s.top_k, s.bytes,
                           s.ranks);
    }

    const MeasuringPlan& plan_;
    const MeasuringSeams& seams_;
    Seconds start_;
    Measurements result_;
    std::set<std::string> verified_, unusable_;
};

}  // namespace

std::vector<Job> jobs_of(const Registry<Microbenchmark>& benchmarks, bool quick, int threads,
                         const std::vector<WeightShape>& shapes) {
    std::vector<std::pair<std::size_t, Job>> ranked;
    for (const auto& [name, benchmark] : benchmarks) {
        std::size_t rank = 0;
        for (KernelPoint& point : with_weights(benchmark.points(quick), shapes)) {
            if (point.shape.ranks == 0) point.shape.ranks = threads;
            ranked.push_back({rank++, {name, &benchmark, std::move(point)}});
        }
    }
    std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<Job> jobs;
    for (auto& [rank, job] : ranked) jobs.push_back(std::move(job));
    return jobs;
}

Measurements measure(const std::vector<Job>& jobs, const MeasuringPlan& plan, const MeasuringSeams& seams) {
    return Measuring(plan, seams).run(jobs);
}

}  // namespace plimsoll
