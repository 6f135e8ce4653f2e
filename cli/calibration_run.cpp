#include "cli/calibration_run.hpp"

#include <filesystem>
#include <thread>

#include <fmt/format.h>

#include "calibrate/sample_table.hpp"
#include "cli/host_facts.hpp"
#include "model/base/error.hpp"
#include "model/base/units_text.hpp"

namespace plimsoll {
namespace {

constexpr TimingRule quick_rule{
    .least_readings = 6, .most_readings = 60, .half_width = 0.03, .stable_from = 20, .time_limit = Seconds(2)};
constexpr TimingRule full_rule{.time_limit = Seconds(20)};

void refuse_cuda(const std::string& device) {
    if (device != "cuda") return;
    throw InputError(
        "--device",
        "this program has no CUDA benchmarks; build the target plimsoll_bench with the preset 'cuda' on the "
        "machine with the GPU and run it there, then give its samples, or those of others, to "
        "'plimsoll calibrate fit --from FILE'");
}

void check_name(const std::string& name) {
    if (name.empty() || name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-") != name.npos)
        throw InputError("--name", "expected lower case letters, digits, '.' and '-', got " + in_quotes(name));
}

/// Facts as a JSON object; their texts need no escapes.
std::string facts_json(const CalibrationRun& run) {
    const Measurements& measured = run.measured;
    std::string text = fmt::format(
        "{{\n  \"schema\": \"plimsoll/measurement/1\",\n  \"device\": \"{}\",\n  \"model\": \"{}\",\n"
        "  \"threads\": {},\n  \"seed\": {},\n  \"quick\": {},\n  \"complete_rounds\": {},\n  \"interrupted\": {},\n"
        "  \"seconds\": {:.1f},\n  \"facts\": {{",
        run.facts.name, run.facts.model, run.facts.threads, run.plan.seed, run.quick, measured.complete_rounds,
        measured.interrupted, measured.took.value());
    for (std::size_t i = 0; i < run.host.size(); ++i)
        text += fmt::format("{}\n    \"{}\": \"{}\"", i == 0 ? "" : ",", run.host[i].first, run.host[i].second);
    return text + "\n  }\n}\n";
}

Table rates_table(const CalibrationRun& run) {
    Table table{"rates", "Rates", {{"what", "what", 0}, {"value", "measured", 0}, {"deviation", "+-", 0}}, {}};
    const ProcessorRates& rates = *run.rates;
    for (const auto& [dtype, peak] : rates.peaks)
        table.rows.push_back({"products in " + dtype, FlopPerSecond(peak.value), FlopPerSecond(peak.deviation)});
    table.rows.push_back(
        {"reading memory", BytesPerSecond(rates.bandwidth.value), BytesPerSecond(rates.bandwidth.deviation)});
    table.rows.push_back({"waking the threads", Seconds(rates.launch.value), Seconds(rates.launch.deviation)});
    return table;
}

Table kernels_table(const Profile& profile) {
    Table table{"kernels",
                "Kernels as fitted",
                {{"kernel", "kernel", 0},
                 {"dtype", "dtype", 0},
                 {"points", "points", 1},
                 {"mean_ape", "mean error", 0},
                 {"p90_ape", "90 % below", 1},
                 {"constants", "constants", 2, true}},
                {}};
    for (const KernelModel& model : profile.kernels) {
        std::string constants;
        for (const FittedConstant& constant : model.constants)
            constants += fmt::format("{}{} {:.3g} +- {:.2g}", constants.empty() ? "" : ", ", constant.name,
                                     constant.value, constant.standard_error);
        table.rows.push_back({model.kernel + (model.path.empty() ? "" : " " + model.path), model.dtype,
                              Cell::count(static_cast<double>(model.points)), Cell::fraction(model.residuals.mean_ape),
                              Cell::fraction(model.residuals.p90_ape), constants});
    }
    return table;
}

std::size_t timed_out(const Measurements& measured) {
    std::size_t count = 0;
    for (const Measured& one : measured.samples) count += one.sample.timed_out;
    return count;
}

std::size_t disturbed(const Measurements& measured) {
    std::size_t count = 0;
    for (const Measured& one : measured.samples) count += one.sample.disturbed;
    return count;
}

std::uint64_t discarded(const Measurements& measured) {
    std::uint64_t count = 0;
    for (const Measured& one : measured.samples) count += one.sample.discarded;
    return count;
}

Bullets left_out(const CalibrationRun& run) {
    Bullets bullets{"left_out", "Left out:", {}};
    for (const LeftOut& one : run.measured.left_out)
        bullets.lines.push_back(fmt::format("{} {} {}: {}", one.benchmark, one.point.path, one.point.dtype, one.why));
    bullets.lines.insert(bullets.lines.end(), run.fitted.left_out.begin(), run.fitted.left_out.end());
    return bullets;
}

}  // namespace

CalibrationRun read_calibration_run(const Arguments& arguments) {
    refuse_cuda(*arguments.value("device"));
    CalibrationRun run;
    run.quick = arguments.given("quick");
    run.plan.rule = run.quick ? quick_rule : full_rule;
    run.plan.budget = run.quick ? Seconds(90) : Seconds(600);
    if (const auto budget = arguments.value("budget")) run.plan.budget = parse_quantity<Seconds>(*budget, "--budget");
    run.chosen = arguments.given("budget") && !run.quick;
    run.plan.rounds = *arguments.integer("rounds", {1, 100});
    run.plan.seed = static_cast<std::uint64_t>(*arguments.integer("seed", {0, 1e9}));
    const int all = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
    run.instructions = &instruction_set(arguments.value("instructions").value_or(""), "--instructions");
    run.facts = processor_facts(arguments.integer("threads", {1, 1024}).value_or(all), *run.instructions);
    if (const auto name = arguments.value("name")) run.facts.name = *name;
    check_name(run.facts.name);
    run.host = host_facts(*run.instructions);
    run.data_folder = *arguments.value("output-data");
    run.samples_folder = arguments.value("samples-out")
                             .value_or((std::filesystem::path(run.data_folder) / "samples" / run.facts.name).string());
    return run;
}

SampleLabels labels_of(const CalibrationRun& run) {
    return {
        "plimsoll", run.facts.name,    run.instructions->kernels->library,
        "",         run.facts.threads, run.facts.virtual_machine ? virtual_machine_deviation : own_machine_deviation};
}

std::map<std::string, std::string> sample_files(const CalibrationRun& run) {
    std::map<std::string, std::string> files = sample_tables(run.measured.samples, labels_of(run));
    files["facts.json"] = facts_json(run);
    return files;
}

Document calibration_document(const CalibrationRun& run) {
    Document document;
    const Measurements& measured = run.measured;
    document.items.push_back(
        Facts{"",
              "",
              {{"device", "device", run.facts.name},
               {"model", "model", run.facts.model},
               {"threads", "threads", Cell::count(run.facts.threads)},
               {"instructions", "instructions", text_of(*run.instructions)},
               {"samples", "samples", Cell::count(static_cast<double>(measured.samples.size()))},
               {"complete_rounds", "complete rounds", Cell::count(measured.complete_rounds)},
               {"timed_out", "timed out", Cell::count(static_cast<double>(timed_out(measured)))},
               {"disturbed", "disturbed by other programs", Cell::count(static_cast<double>(disturbed(measured)))},
               {"discarded_readings", "readings discarded", Cell::count(static_cast<double>(discarded(measured)))},
               {"measuring_s", "measured for", measured.took},
               {"samples_folder", "samples in", run.samples_folder},
               {"data_folder", "data in", run.data_folder},
               {"interrupted", "", Cell::flag(measured.interrupted)}}});
    if (run.rates) document.items.push_back(rates_table(run));
    if (run.rates && run.rates->crossover > 0)
        document.items.push_back(Facts{"",
                                       "",
                                       {{"crossover_rows", "rows from which fp32 products are bound by arithmetic",
                                         Cell::number(run.rates->crossover)}}});
    if (!run.fitted.profile.kernels.empty()) document.items.push_back(kernels_table(run.fitted.profile));
    if (!measured.left_out.empty() || !run.fitted.left_out.empty()) document.items.push_back(left_out(run));
    if (5 * disturbed(measured) > measured.samples.size())
        document.items.push_back(
            Paragraph{"Other programs kept this machine busy: the intervals are wide for that. Measure again when it "
                      "is idle.",
                      "busy"});
    if (!run.notes.empty()) document.items.push_back(Bullets{"notes", "", run.notes});
    return document;
}

}  // namespace plimsoll
