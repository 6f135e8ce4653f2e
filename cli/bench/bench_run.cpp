#include "cli/bench/bench_run.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "calibrate/cuda/benches.hpp"
#include "calibrate/host/thread_team.hpp"
#include "calibrate/sample_table.hpp"
#include "cli/bench/model_points.hpp"
#include "cli/bench/steps.hpp"
#include "cli/calibration_files.hpp"
#include "cli/interrupt.hpp"
#include "model/base/error.hpp"

namespace plimsoll {
namespace {

TimingRule rule_of(const BenchRun& run) {
    TimingRule rule;
    rule.most_readings = run.quick ? 60 : 200;
    rule.half_width = run.quick ? 0.02 : 0.01;
    rule.time_limit = run.quick ? Seconds(1) : Seconds(3);
    return rule;
}

std::vector<Job> jobs(const BenchRun& run) {
    for (const auto& name : run.only) static_cast<void>(cuda::benches().at(name, "bench", "--only"));
    std::vector<Job> result;
    for (auto& job : jobs_of(cuda::benches(), run.quick, 0))
        if (run.only.empty() || std::find(run.only.begin(), run.only.end(), job.benchmark) != run.only.end())
            result.push_back(std::move(job));
    const Microbenchmark& gemm = cuda::benches().at("gemm", "bench", "--models");
    std::vector<std::string> dtypes;
    for (const auto& point : gemm.points(true))
        if (std::find(dtypes.begin(), dtypes.end(), point.dtype) == dtypes.end()) dtypes.push_back(point.dtype);
    for (auto& point : model_products(run.data_directory, run.models, dtypes))
        result.push_back({"gemm", &gemm, std::move(point)});
    return result;
}

/// Which library a sample's kernel is of, with its version.
std::string library_of(const KernelPoint& point, const DeviceFacts& facts) {
    const auto version = [&](const std::string& name) {
        for (const auto& [key, value] : facts)
            if (key == name) return name + "-" + value;
        return name;
    };
    if (point.path == "cublaslt") return version("cublaslt");
    if (point.path == "nccl") return version("nccl");
    return version("plimsoll_bench");
}

std::map<std::string, std::string> tables(const BenchRun& run, const Measurements& measured, const DeviceFacts& facts) {
    std::map<std::string, std::vector<Measured>> by_library;
    for (const Measured& one : measured.samples) by_library[library_of(one.sample.point, facts)].push_back(one);
    std::map<std::string, std::string> files;
    for (const auto& [library, samples] : by_library)
        for (const auto& [name, table] : sample_tables(samples, {"plimsoll", run.gpu, library, run.topology, 0})) {
            std::string& file = files[name];
            file += file.empty() ? table : table.substr(table.find('\n') + 1);
        }
    return files;
}

std::string in_json(const std::string& text) {
    std::string result;
    for (const char c : text) {
        if (c == '"' || c == '\\') result += '\\';
        result += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
    return "\"" + result + "\"";
}

std::string facts_json(const BenchRun& run, const Measurements& measured, const DeviceFacts& facts) {
    std::string text = fmt::format(
        "{{\n  \"schema\": \"plimsoll/measurement/1\",\n  \"device\": {},\n  \"topology\": {},\n  \"seed\": {},\n"
        "  \"quick\": {},\n  \"complete_rounds\": {},\n  \"interrupted\": {},\n  \"seconds\": {:.1f},\n  \"facts\": {{",
        in_json(run.gpu), in_json(run.topology), run.seed, run.quick, measured.complete_rounds, measured.interrupted,
        measured.took.value());
    for (std::size_t i = 0; i < facts.size(); ++i)
        text += fmt::format("{}\n    {}: {}", i == 0 ? "" : ",", in_json(facts[i].first), in_json(facts[i].second));
    text += "\n  },\n  \"left_out\": [";
    for (std::size_t i = 0; i < measured.left_out.size(); ++i) {
        const LeftOut& one = measured.left_out[i];
        text +=
            fmt::format("{}\n    {}", i == 0 ? "" : ",",
                        in_json(fmt::format("{} {} {} m={} n={} k={} batch={} kv={}: {}", one.benchmark, one.point.path,
                                            one.point.dtype, one.point.shape.m, one.point.shape.n, one.point.shape.k,
                                            one.point.shape.batch, one.point.shape.kv, one.why)));
    }
    return text + "\n  ]\n}\n";
}

/// Puts what there is into files now and then, so that little is lost where the program is killed.
class Records {
  public:
    Records(const BenchRun& run, const DeviceFacts& facts) : run_(run), facts_(facts) {}

    /// `done`: nothing comes after it; until then the facts say "interrupted".
    void put(Measurements measured, bool done) {
        constexpr Seconds between{15};
        const Seconds now = steady_time();
        if (!done && now - last_ < between) return;
        measured.interrupted = measured.interrupted || !done;
        std::map<std::string, std::string> files = tables(run_, measured, facts_);
        files["facts.json"] = facts_json(run_, measured, facts_);
        write_files(run_.folder, files);
        last_ = steady_time();
    }

  private:
    const BenchRun& run_;
    const DeviceFacts& facts_;
    Seconds last_ = steady_time();
};

std::string name_of(const Job& job) {
    const KernelShape& s = job.point.shape;
    return fmt::format("{} {} {} m={} n={} k={} batch={} query={} kv={} heads={}/{} head_dim={} bytes={} ranks={}",
                       job.benchmark, job.point.path, job.point.dtype, s.m, s.n, s.k, s.batch, s.query, s.kv, s.heads,
                       s.kv_heads, s.head_dim, s.bytes, s.ranks);
}

}  // namespace

int measure_device(const BenchRun& run) {
    prepare_folder(run.folder);
    const DeviceFacts facts = cuda::device_facts();
    const InterruptFlag interrupted;
    const Seconds start = steady_time();
    if (run.steps) measure_steps(run, library_of({}, facts), rule_of(run), interrupted.raised());
    MeasuringPlan plan;
    plan.rule = rule_of(run);
    plan.budget = run.budget - (steady_time() - start);
    plan.rounds = run.rounds;
    plan.seed = run.seed;
    Records records(run, facts);
    std::size_t done = 0;
    std::string under_way;
    try {
        const Measurements measured =
            measure(jobs(run), plan,
                    {.now = steady_time,
                     .go_on =
                         [&](const MeasuringStep& step) {
                             under_way = name_of(*step.job);
                             if (done++ % 50 == 0)
                                 fmt::print("round {}, point {} of {}, {:.0f} s\n", step.round + 1, step.point + 1,
                                            step.points, step.elapsed.value());
                             return !interrupted.raised();
                         },
                     .next_round = {},
                     .measured = [&](const Measurements& so_far) { records.put(so_far, false); }});
        records.put(measured, true);
        fmt::print("{} samples, {} left out, {} complete rounds in {:.0f} s, written to {}\n", measured.samples.size(),
                   measured.left_out.size(), measured.complete_rounds, measured.took.value(), run.folder);
        return measured.interrupted ? exit_interrupted : 0;
    } catch (const cuda::DeviceLost& problem) {
        throw std::runtime_error(fmt::format("{}: {}; the samples up to {:.0f} s before it are in {}", under_way,
                                             problem.what(), 15.0, run.folder));
    }
}

}  // namespace plimsoll
