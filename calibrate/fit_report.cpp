#include "calibrate/fit_report.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "calibrate/fit_residuals.hpp"

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
                        const FitOptions& options, Catalog& catalog) {
    struct Part {
        std::vector<KernelRow> train, test;
    };
    std::map<KernelGroup, Part> groups;
    RowSplit split = split_rows(rows, rule, seed);
    for (KernelRow& row : split.train) groups[row.group].train.push_back(std::move(row));
    for (KernelRow& row : split.test) groups[row.group].test.push_back(std::move(row));
    std::map<std::string, std::vector<Judged>> by_kernel;
    FitReport report;
    for (const auto& [group, part] : groups) {
        if (part.train.size() < fewest_rows) {
            report.left_out.push_back(
                fmt::format("{}: {} rows to fit, {} are needed", group.text(), part.train.size(), fewest_rows));
            continue;
        }
        const GpuPeaks peaks = peaks_of(catalog.gpus.at(group.gpu, group.text()), part.train.front().op.arithmetic);
        GroupReport one{fit_group(part.train, peaks, options), part.train.size(), {}};
        std::vector<Judged> judged;
        for (const KernelRow& row : part.test) judged.push_back(judge(one.fit, row, peaks));
        one.test = errors_of(judged);
        auto& all = by_kernel[group.kernel];
        all.insert(all.end(), judged.begin(), judged.end());
        report.groups.push_back(std::move(one));
    }
    for (const auto& [kernel, judged] : by_kernel) report.operators.push_back({kernel, errors_of(judged)});
    return report;
}

}  // namespace plimsoll
