#include <algorithm>
#include <array>
#include <ostream>

#include <fmt/format.h>

#include "calibrate/cpu/benchmarks.hpp"
#include "calibrate/host/thread_team.hpp"
#include "calibrate/point_choice.hpp"
#include "calibrate/profile_writer.hpp"
#include "cli/calibration_files.hpp"
#include "cli/calibration_run.hpp"
#include "cli/command.hpp"
#include "cli/host_facts.hpp"
#include "cli/interrupt.hpp"

namespace plimsoll {
namespace {

/// Points between two choices of where the fits know least.
constexpr std::size_t points_a_round = 24;

/// One line that is written over and over, and goes away in the end.
class MeasuringLine {
  public:
    MeasuringLine(std::ostream* stream, const MeasuringPlan& plan) : stream_(stream), plan_(plan) {}
    MeasuringLine(const MeasuringLine&) = delete;
    MeasuringLine& operator=(const MeasuringLine&) = delete;
    ~MeasuringLine() {
        if (stream_) *stream_ << "\r\033[K" << std::flush;
    }
    void show(const MeasuringStep& step) {
        if (!stream_) return;
        *stream_ << fmt::format("\r\033[Kround {} of {}, point {} of {}: {} {}, {:.0f} of at most {:.0f} s",
                                step.round + 1, plan_.rounds, step.point + 1, step.points, step.job->benchmark,
                                step.job->point.dtype, step.elapsed.value(), plan_.budget.value())
                 << std::flush;
    }

  private:
    std::ostream* stream_;
    const MeasuringPlan& plan_;
};

void measure_processor(CalibrationRun& run, std::ostream* progress) {
    const InterruptFlag interrupted;
    MeasuringLine line(progress, run.plan);
    const int threads = run.facts.threads;
    const auto jobs = [&](bool quick) {
        std::vector<Job> all = jobs_of(cpu_benchmarks(), quick, threads, run.shapes);
        for (Job& job : all) job.point.instructions = run.instructions->name;
        return all;
    };
    const std::vector<Job> spread = jobs(run.quick || run.chosen), all = jobs(false);
    const auto choose = [&](const Measurements& so_far) {
        const auto rates = processor_rates(so_far.samples, labels_of(run));
        const auto peaks = [&](const std::string& dtype) {
            const auto peak = rates->peaks.find(dtype);
            return GpuPeaks{FlopPerSecond(peak == rates->peaks.end() ? 1e9 : peak->second.value),
                            BytesPerSecond(rates->bandwidth.value), run.facts.last_cache, static_cast<double>(threads)};
        };
        return rates ? telling_points(all, so_far.samples, labels_of(run), peaks, points_a_round) : std::vector<Job>{};
    };
    MeasuringSeams seams{.now = steady_time, .go_on = [&](const MeasuringStep& step) {
                             line.show(step);
                             return !interrupted.raised();
                         }};
    if (run.chosen) seams.next_round = choose;
    run.measured = measure(spread, run.plan, seams);
    run.rates = processor_rates(run.measured.samples, labels_of(run));
}

/// The catalog anew, with the entries that were just written.
void write_profile(CalibrationRun& run, Session& session) {
    std::vector<std::string> folders = session.catalog().directories();
    folders.push_back(run.data_folder);
    Catalog catalog(std::move(folders));
    run.fitted = fit_samples(run.measured.samples, labels_of(run), catalog);
    Profile& profile = run.fitted.profile;
    if (profile.kernels.empty()) {
        run.notes.emplace_back("Too few points for a profile; what the entries say is measured all the same.");
        return;
    }
    profile.name = run.facts.name;
    profile.date = date_today();
    profile.source = "measured here: " + run.facts.measured;
    profile.environment = run.host;
    const std::string path = "hardware_db/profiles/" + profile.name + ".json";
    write_files(run.data_folder, {{path, profile_json(profile, path)}});
}

/// The processor as data that `plan --data` reads, unless the data know one of this name from elsewhere.
void write_entries(CalibrationRun& run, Session& session) {
    if (!run.rates) {
        run.notes.emplace_back(
            "Too little was measured for a data entry: at least a product, a cold read and a wake-up are needed.");
        return;
    }
    const auto known = session.catalog().gpus.names();
    run.new_entries = std::find(known.begin(), known.end(), run.facts.name) == known.end() ||
                      session.catalog().gpus.path(run.facts.name).starts_with(run.data_folder);
    if (run.new_entries) write_files(run.data_folder, processor_entries(run.facts, *run.rates));
    write_profile(run, session);
    run.notes.push_back(fmt::format("Plan with it: plimsoll plan --data {} --node {}-1 --engine {} ...",
                                    run.data_folder, run.facts.name, bare_engine));
}

Document run(const Arguments& arguments, Session& session) {
    CalibrationRun run = read_calibration_run(arguments);
    prepare_folder(run.data_folder);
    prepare_folder(run.samples_folder);
    Catalog& catalog = session.catalog();
    if (const auto model = arguments.value("shapes"))
        run.shapes = weight_shapes(catalog.models.at(*model, "--shapes"), std::array{1});
    measure_processor(run, session.progress());
    write_files(run.samples_folder, sample_files(run));
    write_entries(run, session);
    Document document = calibration_document(run);
    if (run.measured.interrupted) document.exit_code = exit_interrupted;
    return document;
}

}  // namespace

void register_calibrate_run(Registry<Command>& registry) {
    registry.add(
        "calibrate run",
        {.summary = "Measures this machine, so that forecasts for it are measured and not estimated",
         .description =
             "Runs microbenchmarks in random order, several rounds of them, keeps the raw samples, fits the kernel "
             "models and writes a profile, with entries for the processor as a GPU, a node and an engine, into a data "
             "directory that --data takes. Interrupted, it keeps what it has.",
         .examples =
             {"plimsoll calibrate run --quick --budget 2s --output-data /tmp/plimsoll-data",
              "plimsoll calibrate run --quick --budget 2s --shapes qwen2.5-3b --output-data /tmp/plimsoll-data"},
         .options =
             {{.name = "device",
               .value = "NAME",
               .help = "what to measure",
               .choices = {"cpu", "cuda"},
               .fallback = "cpu"},
              {.name = "quick", .help = "the few points that a first fit needs, within two minutes"},
              {.name = "budget",
               .value = "TIME",
               .help =
                   "begin no point after this time, such as 5min; 90s with --quick, else 10min. With it and without "
                   "--quick the points of --quick come first and then those where the fits know least"},
              {.name = "shapes",
               .value = "MODEL",
               .help = "measure products with this model's weights: a name, or the path of a config.json",
               .completes = "models"},
              {.name = "rounds",
               .value = "N",
               .help = "how often to go over the points: what differs between rounds is the run-to-run error",
               .fallback = "3"},
              {.name = "threads", .value = "N", .help = "threads to use; all of the machine if absent"},
              {.name = "instructions",
               .value = "NAME",
               .help = "instruction set of the kernels; the widest that the processor has if absent",
               .choices = {"baseline", "avx2", "avx512"}},
              {.name = "seed", .value = "N", .help = "of the order of the points", .fallback = "1"},
              {.name = "name",
               .value = "NAME",
               .help = "of the device's entry and profile; made of its model if absent"},
              {.name = "samples-out",
               .value = "DIR",
               .help = "where to write the raw samples; samples/NAME of the data directory if absent",
               .completes = "directories"},
              output_data_option()},
         .run = run});
}

}  // namespace plimsoll
