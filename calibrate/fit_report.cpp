#include "calibrate/fit_report.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "calibrate/fit_residuals.hpp"
#include "model/base/parallel.hpp"

namespace plimsoll {
namespace {

/// What one row that was not fitted says: the error, and which of the nominal intervals held it.
struct Judged {
    double log = 0;  ///< ln(measured / predicted)
    bool in50 = false, in80 = false, in90 = false;
};

bool within(const Residuals& residuals, double log, double nominal) {
    return log >= quantile(residuals, (1 - nominal) / 2) && log <= quantile(residuals, (1 + nominal) / 2);
}

Judged judge(const GroupFit& fit, const KernelRow& row, const GpuPeaks& peaks) {
    const KernelModel& model = fit.model_of(row.op);
    const double log = std::log(row.seconds / predict(model, row.op, peaks).value());
    return {log, within(model.residuals, log, 0.5), within(model.residuals, log, 0.8),
            within(model.residuals, log, 0.9)};
}

TestErrors errors_of(const std::vector<Judged>& judged) {
    std::vector<double> logs;
    TestErrors errors;
    for (const Judged& one : judged) {
        logs.push_back(one.log);
        errors.coverage50 += one.in50, errors.coverage80 += one.in80, errors.coverage90 += one.in90;
    }
    errors.n = judged.size();
    if (judged.empty()) return errors;
    for (double* coverage : {&errors.coverage50, &errors.coverage80, &errors.coverage90})
        *coverage /= static_cast<double>(judged.size());
    const Residuals residuals = residuals_from(std::move(logs));
    errors.mape = residuals.mean_ape, errors.median_ape = residuals.median_ape, errors.p90_ape = residuals.p90_ape;
    errors.bias = residuals.bias;
    return errors;
}

}  // namespace

FitReport fit_and_judge(const std::vector<KernelRow>& rows, const SplitRule& rule, std::uint64_t seed,
                        const FitOptions& options, Catalog& catalog, std::uint32_t threads) {
    struct Part {
        std::vector<KernelRow> train, test;
        GpuPeaks peaks;
        GroupReport report;
        std::vector<Judged> judged;
    };
    std::map<KernelGroup, Part> groups;
    RowSplit split = split_rows(rows, rule, seed);
    for (KernelRow& row : split.train) groups[row.group].train.push_back(std::move(row));
    for (KernelRow& row : split.test) groups[row.group].test.push_back(std::move(row));
    FitReport report;
    std::vector<Part*> parts;
    for (auto& [group, part] : groups) {
        if (part.train.size() < fewest_rows) {
            report.left_out.push_back(
                fmt::format("{}: {} rows to fit, {} are needed", group.text(), part.train.size(), fewest_rows));
            continue;
        }
        part.peaks = peaks_of(catalog.gpus.at(group.gpu, group.text()), part.train.front().op.arithmetic);
        parts.push_back(&part);
    }
    std::vector<Part*> largest_first = parts;  // so that no thread is left with a large one at the end
    std::stable_sort(largest_first.begin(), largest_first.end(),
                     [](const Part* a, const Part* b) { return a->train.size() > b->train.size(); });
    in_parallel(static_cast<std::uint32_t>(parts.size()), threads, [&](std::uint32_t i) {
        Part& part = *largest_first[i];
        part.report = {fit_group(part.train, part.peaks, options), part.train.size(), {}};
        for (const KernelRow& row : part.test) part.judged.push_back(judge(part.report.fit, row, part.peaks));
        part.report.test = errors_of(part.judged);
    });
    std::map<std::string, std::vector<Judged>> by_kernel;
    for (Part* part : parts) {
        auto& all = by_kernel[part->report.fit.group.kernel];
        all.insert(all.end(), part->judged.begin(), part->judged.end());
        report.groups.push_back(std::move(part->report));
    }
    for (const auto& [kernel, judged] : by_kernel) report.operators.push_back({kernel, errors_of(judged)});
    return report;
}

}  // namespace plimsoll
