#include "cli/bench/bench_run.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "calibrate/cuda/benches.hpp"
#include "calibrate/cuda/decoder_step.hpp"
#include "calibrate/host/thread_team.hpp"
#include "calibrate/sample_table.hpp"
#include "cli/bench/model_points.hpp"
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

/// The median of one kernel; the clock of the machine.
Sample timed(const KernelPoint& point, PreparedKernel& kernel, const TimingRule& rule) {
    return time_kernel(point, kernel, rule, steady_time);
}

std::string step_row(const BenchRun& run, const cuda::DecoderPoint& point, const std::string& library) {
    const TimingRule rule = rule_of(run);
    Sample whole;
    {
        const auto kernel = cuda::prepare_decoder_step(point);
        whole = timed({}, *kernel, rule);
    }
    Seconds sum{};
    for (const cuda::DecoderPart& part : cuda::decoder_parts(point)) {
        const auto kernel = cuda::benches().at(part.bench, "bench", "step").prepare(part.point);
        sum += timed(part.point, *kernel, rule).median * static_cast<double>(part.times);
    }
    fmt::print("step {} {} batch {} query {} kv {}: {:.3f} ms, sum of its kernels {:.3f} ms ({:+.1f} %)\n",
               point.model.name, point.dtype, point.batch, point.query, point.kv, whole.median.value() * 1e3,
               sum.value() * 1e3, 100 * (sum / whole.median - 1));
    return fmt::format("plimsoll,{},{},{},{},{},{},{},{},{:.6g},{:.6g},{:.4g},{},{:.0f}\n", run.gpu, library,
                       point.model.name, point.dtype, point.model.layers, point.batch, point.query, point.kv,
                       whole.median.value(), sum.value(), whole.relative_half_width, whole.times.size(),
                       whole.clock_mhz);
}

std::string steps_table(const BenchRun& run, const std::string& library) {
    std::string table =
        "source,gpu,framework,model,dtype,layers,batch,query_len,kv_len,seconds,sum_of_kernels_s,half_width,readings,"
        "clock_mhz\n";
    for (const auto& point : cuda::decoder_points(run.quick)) {
        try {
            table += step_row(run, point, library);
        } catch (const std::runtime_error& problem) {
            fmt::print("step {} batch {} kv {} left out: {}\n", point.model.name, point.batch, point.kv,
                       problem.what());
        }
    }
    return table;
}

}  // namespace

int measure_device(const BenchRun& run) {
    prepare_folder(run.folder);
    const DeviceFacts facts = cuda::device_facts();
    const InterruptFlag interrupted;
    std::map<std::string, std::string> files;
    if (run.steps) files["steps.csv"] = steps_table(run, library_of({}, facts));
    write_files(run.folder, files);
    MeasuringPlan plan;
    plan.rule = rule_of(run);
    plan.budget = run.budget;
    plan.rounds = run.rounds;
    plan.seed = run.seed;
    std::size_t done = 0;
    const Measurements measured =
        measure(jobs(run), plan,
                {.now = steady_time,
                 .go_on =
                     [&](const MeasuringStep& step) {
                         if (done++ % 50 == 0)
                             fmt::print("round {}, point {} of {}, {:.0f} s\n", step.round + 1, step.point + 1,
                                        step.points, step.elapsed.value());
                         return !interrupted.raised();
                     },
                 .next_round = {}});
    files = tables(run, measured, facts);
    files["facts.json"] = facts_json(run, measured, facts);
    write_files(run.folder, files);
    fmt::print("{} samples, {} left out, {} complete rounds in {:.0f} s, written to {}\n", measured.samples.size(),
               measured.left_out.size(), measured.complete_rounds, measured.took.value(), run.folder);
    return measured.interrupted ? exit_interrupted : 0;
}

}  // namespace plimsoll
