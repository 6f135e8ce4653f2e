#include <algorithm>
#include <filesystem>
#include <thread>

#include <fmt/format.h>

#include "calibrate/fit_report.hpp"
#include "calibrate/profile_writer.hpp"
#include "cli/command.hpp"
#include "cli/fit_document.hpp"
#include "cli/import_options.hpp"
#include "cli/output_file.hpp"
#include "cli/serving_fit_document.hpp"
#include "cli/session.hpp"
#include "model/base/error.hpp"
#include "model/base/units_text.hpp"

namespace plimsoll {
namespace {

SplitRule rule_of(const Arguments& arguments) {
    if (arguments.value("train") && arguments.value("train-per"))
        throw InputError("--train-per", "--train says already which rows are fitted");
    if (const auto per = arguments.value("train-per")) return parse_train_per(*per);
    if (const auto train = arguments.value("train")) return parse_train(*train);
    return {};
}

/// The rows of all files that satisfy the conditions.
KernelTable rows_of(const Arguments& arguments, Catalog& catalog) {
    KernelTable all;
    const ImportChoice choice = import_choice(arguments);
    for (const std::string& file : arguments.values("from")) {
        const Imported imported = import_file(file, choice, {MeasuredKind::kernels});
        KernelTable table = read_kernel_table(imported.table, catalog);
        all.implausible.insert(all.implausible.end(), imported.left_out.begin(), imported.left_out.end());
        all.read += imported.read;
        all.duplicates += table.duplicates;
        all.rows.insert(all.rows.end(), table.rows.begin(), table.rows.end());
        all.implausible.insert(all.implausible.end(), table.implausible.begin(), table.implausible.end());
    }
    if (all.rows.empty() && all.read == 0 && !all.implausible.empty())
        throw InputError("--from", "no row to fit: " + all.implausible.front());
    if (all.rows.empty()) refuse_conditions(all.read);
    return all;
}

Profile profile_of(const FitReport& report, const std::string& file, const Arguments& arguments) {
    Profile profile;
    // The catalog finds it by this name.
    profile.name = std::filesystem::path(file).stem().string();
    profile.gpu = report.groups.front().fit.group.gpu;
    profile.date = *arguments.value("date");
    profile.source = *arguments.value("source");
    for (const GroupReport& group : report.groups) {
        if (group.fit.group.gpu != profile.gpu)
            throw InputError("--profile", fmt::format("a profile is of one GPU; the rows are of {} and {}: choose by "
                                                      "--where gpu=NAME",
                                                      profile.gpu, group.fit.group.gpu));
        for (KernelModel model : group.fit.models) {
            model.origin = Origin::measured_elsewhere;
            profile.kernels.push_back(std::move(model));
        }
    }
    return profile;
}

Document run(const Arguments& arguments, Session& session) {
    if (!arguments.values("serving").empty()) {
        if (!arguments.values("from").empty()) throw InputError("--from", "--serving fits another kind of table");
        return serving_fit_document(arguments, session);
    }
    if (arguments.values("from").empty())
        throw InputError("--from", "a table of measured kernels, or --serving with one of serving runs, is needed");
    const SplitRule rule = rule_of(arguments);
    const int seed = arguments.integer("seed", {0, 1e9}).value_or(1);
    const KernelTable table = rows_of(arguments, session.catalog());
    FitOptions options;
    options.learner = arguments.value("learner") != "off";
    const FitReport report = fit_and_judge(table.rows, rule, static_cast<std::uint64_t>(seed), options,
                                           session.catalog(), std::max(1U, std::thread::hardware_concurrency()));
    if (report.groups.empty())
        throw InputError("--train", report.left_out.empty() ? "no rows to fit" : report.left_out.front());
    if (const auto file = arguments.value("profile")) {
        write_file(*file, profile_json(profile_of(report, *file, arguments), *file));
    }
    return fit_document(report, table);
}

}  // namespace

void register_calibrate_fit(Registry<Command>& registry) {
    Command command{
        .summary = "Constants of kernels from measured times, with the errors on rows left out",
        .description =
            "Fits the forms of model/cost/forms to tables of measured kernels (docs/calibrate.md), each GPU, "
            "library and type on its own. Rows that --train does not take judge the fit.",
        .examples = {"plimsoll calibrate fit --from tests/cli/kernels/gemm.csv --where dtype=bf16 --train 0.5 --seed 1",
                     "plimsoll calibrate fit --from tests/data/importers/nccl_all_reduce.txt --column "
                     "topology=nvswitch --train 0.5"},
        .options =
            {{.name = "from",
              .value = "FILE",
              .help = "a CSV table of measured kernels, or what another tool printed of them",
              .repeatable = true,
              .completes = "files"},
             {.name = "train",
              .value = "ROWS",
              .help = "rows to fit of each group: a share such as 0.3, a count, or designed:COUNT for sizes "
                      "that are spread; without it all"},
             {.name = "train-per",
              .value = "COLUMN=COUNT",
              .help = "ranks=COUNT: so many spread sizes of each rank count"},
             {.name = "seed", .value = "N", .help = "draws the rows to fit", .fallback = "1"},
             {.name = "learner",
              .value = "WORD",
              .help = "whether a bounded correction may be learnt from the residuals",
              .choices = {"on", "off"},
              .fallback = "on"},
             {.name = "profile",
              .value = "FILE",
              .help = "writes the fit as a profile",
              .completes = "files",
              .written = true},
             {.name = "serving",
              .value = "FILE",
              .help = "a table of serving runs as validate reads it: an engine's constants are fitted to it "
                      "(docs/serving_fit.md)",
              .repeatable = true,
              .completes = "files"},
             {.name = "assumptions",
              .value = "NAME",
              .help = "with --serving: what the table does not say, as for validate",
              .fallback = "serving-matrix-2023"},
             {.name = "widen",
              .value = "TIMES",
              .help = "with --serving: counts each default's deviation so many times, so that the table says more"},
             {.name = "data-out",
              .value = "DIR",
              .help = "with --serving: writes the engine and the nodes with their fitted constants there, for --data",
              .completes = "directories"},
             {.name = "source",
              .value = "TEXT",
              .help = "whose measurements they are, for the profile",
              .fallback = "plimsoll calibrate fit"},
             {.name = "date", .value = "DATE", .help = "of the measurements, for the profile", .fallback = "unknown"}},
        .run = run};
    for (Option& option : import_options()) command.options.push_back(std::move(option));
    registry.add("calibrate fit", std::move(command));
}

}  // namespace plimsoll
