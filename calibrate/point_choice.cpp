#include "calibrate/point_choice.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <tuple>

#include <fmt/format.h>

#include "calibrate/fit.hpp"
#include "calibrate/kernel_operators.hpp"
#include "model/base/error.hpp"

namespace plimsoll {
namespace {

/// The operator that a point is, for the kernels that have a form here.
std::optional<Operator> operator_of(const KernelPoint& point) {
    const KernelShape& s = point.shape;
    const std::map<std::string, std::int64_t> numbers{{"m", s.m},
                                                      {"n", s.n},
                                                      {"k", s.k},
                                                      {"batch", s.batch},
                                                      {"query_len", s.query},
                                                      {"kv_len", s.kv},
                                                      {"heads", s.heads},
                                                      {"kv_heads", s.kv_heads},
                                                      {"head_dim", s.head_dim}};
    const TableCells cells{[&](const std::string& column) { return static_cast<double>(numbers.at(column)); },
                           [&](const std::string& column) { return column == "dtype" ? point.dtype : point.kv_dtype; },
                           "a point of a microbenchmark"};
    if (point.kernel == KernelClass::gemm) return gemm_row(cells);
    if (point.kernel == KernelClass::attention_prefill || point.kernel == KernelClass::attention_decode)
        return attention_row(cells);
    return std::nullopt;
}

/// Which kernel of which types: its constants are one fit's.
std::string group_name(const KernelPoint& point) {
    return fmt::format("{} {} {}", to_string(point.kernel), point.dtype, point.kv_dtype);
}

/// A fit of the plain form, with what its constants are known to.
class Knowledge {
  public:
    Knowledge(const std::vector<KernelRow>& rows, const GpuPeaks& peaks) : peaks_(peaks) {
        const KernelModel model =
            fit_group(rows, peaks, {.learner = false, .paths = false, .forms = {rows.front().group.kernel}})
                .models.front();
        form_ = kernel_forms().find(model.form);
        for (const FittedConstant& constant : model.constants) values_.push_back(constant.value);
        covariance_ = model.covariance;
        constexpr double least_scale = 0.02;  // what the timing itself leaves open
        const double scale = std::max(least_scale, model.residuals.median_ape);
        noise_ = scale * scale;
    }

    /// Variance of the logarithm of the time.
    [[nodiscard]] double variance(const Operator& op) const {
        const std::vector<double> slopes = derivatives(op), moved = times_covariance(slopes);
        double sum = 0;
        for (std::size_t i = 0; i < slopes.size(); ++i) sum += slopes[i] * moved[i];
        return sum;
    }

    /// The covariance after such a measurement (the update of a linear least squares).
    void measured(const Operator& op) {
        const std::vector<double> moved = times_covariance(derivatives(op));
        const double total = noise_ + variance(op);
        for (std::size_t i = 0; i < moved.size(); ++i)
            for (std::size_t j = 0; j < moved.size(); ++j)
                covariance_[i * moved.size() + j] -= moved[i] * moved[j] / total;
    }

  private:
    /// d ln(time) / d ln(constant), by central differences.
    [[nodiscard]] std::vector<double> derivatives(const Operator& op) const {
        constexpr double step = 1e-3;
        std::vector<double> slopes;
        for (std::size_t i = 0; i < values_.size(); ++i) {
            std::vector<double> above = values_, below = values_;
            above[i] *= std::exp(step), below[i] *= std::exp(-step);
            slopes.push_back(std::log(form_->time(op, peaks_, above).total() / form_->time(op, peaks_, below).total()) /
                             (2 * step));
        }
        return slopes;
    }
    [[nodiscard]] std::vector<double> times_covariance(const std::vector<double>& slopes) const {
        std::vector<double> result(slopes.size());
        for (std::size_t i = 0; i < slopes.size(); ++i)
            for (std::size_t j = 0; j < slopes.size(); ++j) result[i] += covariance_[i * slopes.size() + j] * slopes[j];
        return result;
    }

    const KernelForm* form_ = nullptr;
    GpuPeaks peaks_;
    std::vector<double> values_, covariance_;
    double noise_ = 0;
};

/// The fits that the samples allow, by group.
std::map<std::string, Knowledge> fits_of(std::span<const Measured> samples, const SampleLabels& labels,
                                         const PeaksOfDtype& peaks) {
    std::map<std::string, std::vector<KernelRow>> rows;
    for (const Measured& measured : samples) {
        const KernelPoint& point = measured.sample.point;
        const std::optional<Operator> op = operator_of(point);
        if (!op || measured.sample.timed_out || (labels.threads != 0 && point.shape.ranks != labels.threads)) continue;
        KernelRow row;
        row.group.kernel = to_string(point.kernel);
        row.group.dtype = point.dtype, row.group.kv_dtype = point.kv_dtype;
        row.op = *op;
        row.seconds = measured.sample.median.value();
        row.shape = fmt::format("{} {} {} {}", point.shape.n, point.shape.k, point.shape.heads, point.shape.kv_heads);
        rows[group_name(point)].push_back(std::move(row));
    }
    std::map<std::string, Knowledge> fits;
    for (const auto& [group, of_group] : rows)
        if (of_group.size() >= fewest_rows)
            fits.emplace(group, Knowledge(of_group, peaks(of_group.front().group.dtype)));
    return fits;
}

}  // namespace

std::vector<Job> telling_points(const std::vector<Job>& candidates, std::span<const Measured> samples,
                                const SampleLabels& labels, const PeaksOfDtype& peaks, std::size_t count) {
    std::map<std::string, Knowledge> fits = fits_of(samples, labels, peaks);
    struct Candidate {
        const Job* job;
        Operator op;
        Knowledge* fit;
    };
    std::vector<Candidate> open;
    for (const Job& job : candidates) {
        const auto fit = fits.find(group_name(job.point));
        const std::optional<Operator> op = operator_of(job.point);
        const bool whole = labels.threads == 0 || job.point.shape.ranks == labels.threads;
        if (op && whole && fit != fits.end()) open.push_back({&job, *op, &fit->second});
    }
    std::vector<Job> chosen;
    while (chosen.size() < count && !open.empty()) {
        auto best = open.begin();
        double most = -1;
        for (auto each = open.begin(); each != open.end(); ++each)
            if (const double variance = each->fit->variance(each->op); variance > most) most = variance, best = each;
        best->fit->measured(best->op);
        chosen.push_back(*best->job);
        open.erase(best);
    }
    return chosen;
}

}  // namespace plimsoll
