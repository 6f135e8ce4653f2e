#include "calibrate/measured_profile.hpp"

#include <array>
#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>

#include "calibrate/fit.hpp"

namespace plimsoll {
namespace {

using Groups = std::map<KernelGroup, std::vector<KernelRow>>;

/// Rows from which regimes and a learner have enough to go by (docs/calibrate.md: a learner pays from 50 points on).
constexpr std::size_t many_rows = 50;

bool can_be_fitted(KernelClass kernel) {
    return kernel == KernelClass::gemm || kernel == KernelClass::attention_prefill ||
           kernel == KernelClass::attention_decode || kernel == KernelClass::moe || kernel == KernelClass::all_reduce ||
           kernel == KernelClass::all_to_all || kernel == KernelClass::elementwise;
}

/// The rows of the whole device that counted, in one round or (-1) all, by group; several rounds of a point as one.
Groups groups_of(std::span<const Measured> samples, int round, const SampleLabels& labels, Catalog& catalog,
                 std::vector<std::string>& left_out) {
    std::vector<Measured> chosen;
    for (const Measured& measured : samples)
        if (can_be_fitted(measured.sample.point.kernel) && !measured.sample.timed_out &&
            (round < 0 || measured.round == round) &&
            (labels.threads == 0 || measured.sample.point.shape.ranks == labels.threads))
            chosen.push_back(measured);
    Groups groups;
    for (const auto& [file, text] : sample_tables(chosen, labels)) {
        KernelTable table = read_kernel_table(Csv::from_text(text, file), catalog);
        left_out.insert(left_out.end(), table.implausible.begin(), table.implausible.end());
        for (KernelRow& row : table.rows) groups[row.group].push_back(std::move(row));
    }
    return groups;
}

/// What tells rows of one group apart, whatever their order: rounds of the same points can be compared.
std::multiset<std::array<double, 8>> sizes_of(const std::vector<KernelRow>& rows) {
    std::multiset<std::array<double, 8>> sizes;
    for (const KernelRow& row : rows)
        sizes.insert({row.op.m, row.op.n, row.op.k, row.op.pairs, row.op.heads, row.op.kv_heads,
                      row.op.work.bytes_read.value(), row.op.work.message.value()});
    return sizes;
}

double disturbed_share(std::span<const Measured> samples, const KernelGroup& group) {
    double disturbed = 0, all = 0;
    for (const Measured& measured : samples)
        if (to_string(measured.sample.point.kernel) == group.kernel && measured.sample.point.dtype == group.dtype &&
            !measured.sample.timed_out) {
            all += 1;
            disturbed += measured.sample.disturbed;
        }
    return all > 0 ? disturbed / all : 0;
}

/// Sums of squares of the logarithms of one model's constants over rounds.
class BetweenRounds {
  public:
    void add(const KernelModel& model) {
        sums_.resize(model.constants.size());
        squares_.resize(model.constants.size());
        for (std::size_t i = 0; i < model.constants.size(); ++i) {
            const double value = std::log(model.constants[i].value);
            sums_[i] += value;
            squares_[i] += value * value;
        }
        ++rounds_;
    }
    /// Variance of the logarithm of a constant between rounds; 0 from fewer than two rounds.
    [[nodiscard]] double variance(std::size_t constant) const {
        if (rounds_ < 2) return 0.0;
        const double mean = sums_[constant] / rounds_;
        return std::max(0.0, squares_[constant] / rounds_ - mean * mean) * rounds_ / (rounds_ - 1.0);
    }

  private:
    std::vector<double> sums_, squares_;
    double rounds_ = 0;
};

/// `disturbed`: share of the samples whose threads other programs kept apart.
void widen(KernelModel& model, const BetweenRounds& between, double disturbed, double run_to_run) {
    const double apart = disturbed * disturbed_deviation;
    const std::size_t size = model.constants.size();
    for (std::size_t i = 0; i < size; ++i) {
        FittedConstant& constant = model.constants[i];
        const double variance = between.variance(i) + run_to_run * run_to_run + apart * apart;
        constant.standard_error = std::hypot(constant.standard_error, constant.value * std::sqrt(variance));
        if (!model.covariance.empty()) model.covariance[i * size + i] += variance;
    }
}

}  // namespace

MeasuredProfile fit_samples(std::span<const Measured> samples, const SampleLabels& labels, Catalog& catalog) {
    MeasuredProfile result;
    result.profile.gpu = labels.gpu;
    result.profile.source = labels.source;
    int rounds = 0;
    for (const Measured& measured : samples) rounds = std::max(rounds, measured.round + 1);
    std::vector<Groups> by_round;
    std::vector<std::string> said_already;
    for (int round = 0; round < rounds; ++round)
        by_round.push_back(groups_of(samples, round, labels, catalog, said_already));
    for (const auto& [group, rows] : groups_of(samples, -1, labels, catalog, result.left_out)) {
        if (rows.size() < fewest_rows) {
            result.left_out.push_back(
                fmt::format("{}: {} points, {} are needed for a fit", group.text(), rows.size(), fewest_rows));
            continue;
        }
        const GpuPeaks peaks = peaks_of(catalog.gpus.at(group.gpu, group.text()), rows.front().op.arithmetic);
        const bool many = rows.size() >= many_rows;
        // A form named as its kernel is the plain one; the others have more to fit than a few points tell.
        FitOptions options{.learner = many, .paths = many, .forms = {group.kernel}};
        for (KernelModel& model : fit_group(rows, peaks, options).models) {
            BetweenRounds between;
            for (const Groups& round : by_round)
                if (const auto found = round.find(group); found != round.end() && found->second.size() >= fewest_rows &&
                                                          sizes_of(found->second) == sizes_of(by_round.front()[group]))
                    between.add(
                        fit_group(found->second, peaks, {.learner = false, .paths = false, .forms = {model.form}})
                            .models.front());
            widen(model, between, disturbed_share(samples, group), labels.run_to_run);
            model.origin = Origin::measured_here;
            result.profile.kernels.push_back(std::move(model));
        }
    }
    return result;
}

}  // namespace plimsoll
