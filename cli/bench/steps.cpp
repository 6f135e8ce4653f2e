#include "cli/bench/steps.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>
#include <vector>

#include <fmt/format.h>

#include "calibrate/cuda/benches.hpp"
#include "calibrate/cuda/decoder_step.hpp"
#include "calibrate/host/thread_team.hpp"
#include "cli/calibration_files.hpp"

namespace plimsoll {
namespace {

constexpr double promised = 0.08;  // deviation of the sum of a step's kernels that issue 4 allows

class Steps {
  public:
    Steps(const BenchRun& run, const std::string& library, const TimingRule& rule)
        : run_(run), library_(library), rule_(rule) {}

    void add(const cuda::DecoderPoint& point) {
        const Sample whole = timed({}, *cuda::prepare_decoder_step(point));
        Seconds sum{};
        double cycles = 0;
        for (const cuda::DecoderPart& part : cuda::decoder_parts(point)) {
            const Sample& one = of_part(part);
            const Seconds time = one.median * static_cast<double>(part.times);
            sum += time;
            cycles += time.value() * one.clock_mhz;
        }
        const double deviation = sum / whole.median - 1;
        deviations_.push_back(std::abs(deviation));
        fmt::print("step {} {} batch {} query {} kv {}: {:.3f} ms, sum of its kernels {:.3f} ms ({:+.1f} %)\n",
                   point.model.name, point.dtype, point.batch, point.query, point.kv, whole.median.value() * 1e3,
                   sum.value() * 1e3, 100 * deviation);
        table_ += fmt::format("plimsoll,{},{},{},{},{},{},{},{},{:.6g},{:.6g},{:.4g},{},{:.0f},{:.0f}\n", run_.gpu,
                              library_, point.model.name, point.dtype, point.model.layers, point.batch, point.query,
                              point.kv, whole.median.value(), sum.value(), whole.relative_half_width,
                              whole.times.size(), whole.clock_mhz, cycles / sum.value());
        write_files(run_.folder, {{"steps.csv", table_}});
    }

    void summarize() const {
        if (deviations_.empty()) return;
        std::vector<double> sorted = deviations_;
        std::sort(sorted.begin(), sorted.end());
        const auto within = std::upper_bound(sorted.begin(), sorted.end(), promised) - sorted.begin();
        fmt::print(
            "{} of {} steps within {:.0f} % of the sum of their kernels; in the middle {:.1f} %, at most {:.1f} %\n",
            within, sorted.size(), 100 * promised, 100 * sorted[sorted.size() / 2], 100 * sorted.back());
    }

  private:
    [[nodiscard]] Sample timed(const KernelPoint& point, PreparedKernel& kernel) const {
        Sample sample = time_kernel(point, kernel, rule_, steady_time);
        if (sample.times.empty()) throw std::runtime_error("every reading was throttled");
        return sample;
    }

    /// Steps share many of their kernels: each is measured once.
    const Sample& of_part(const cuda::DecoderPart& part) {
        const KernelShape& s = part.point.shape;
        const Key key{part.bench, part.point.path, {s.m, s.n, s.k, s.batch, s.query, s.kv, s.heads, s.kv_heads}};
        const auto found = parts_.find(key);
        if (found != parts_.end()) return found->second;
        const auto kernel = cuda::benches().at(part.bench, "bench", "step").prepare(part.point);
        return parts_.emplace(key, timed(part.point, *kernel)).first->second;
    }

    using Key = std::tuple<std::string, std::string, std::vector<std::int64_t>>;
    const BenchRun& run_;
    const std::string& library_;
    const TimingRule& rule_;
    std::map<Key, Sample> parts_;
    std::vector<double> deviations_;
    std::string table_ =
        "source,gpu,framework,model,dtype,layers,batch,query_len,kv_len,seconds,sum_of_kernels_s,half_width,readings,"
        "clock_mhz,kernels_clock_mhz\n";
};

}  // namespace

void measure_steps(const BenchRun& run, const std::string& library, const TimingRule& rule,
                   const std::atomic<bool>& interrupted) {
    const Seconds end = steady_time() + run.budget / 2.0;
    Steps steps(run, library, rule);
    for (const auto& point : cuda::decoder_points(run.quick)) {
        if (interrupted || !(steady_time() < end)) break;
        try {
            steps.add(point);
        } catch (const std::runtime_error& problem) {
            fmt::print("step {} batch {} query {} kv {} left out: {}\n", point.model.name, point.batch, point.query,
                       point.kv, problem.what());
        }
    }
    steps.summarize();
}

}  // namespace plimsoll
