#include "calibrate/fit.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <optional>
#include <random>

#include "calibrate/fit_constants.hpp"
#include "calibrate/fit_learner.hpp"
#include "calibrate/fit_residuals.hpp"
#include "model/base/error.hpp"

namespace plimsoll {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

constexpr std::size_t fewest_for_path = 10, enough_for_path = 16, fewest_for_learner = 16, folds = 10;
constexpr Index most_for_nested_choice = 400, few_rows = 100;
constexpr double luck = 0.1;  ///< how much less error may mean nothing where rows are few

/// Rows in parts that are left out by turns.
using Parts = std::vector<std::vector<Index>>;

/// A fit of some rows by one form, with its errors on rows left out.
struct Candidate {
    std::string form_name;
    const KernelForm* form = nullptr;
    ConstantFit constants;
    std::optional<LearnerShape> shape;
    VectorXd fitted;    ///< ln(measured / predicted) of each row
    VectorXd held_out;  ///< the same when it was left out
    VectorXd shape_held_out;
    [[nodiscard]] double error() const { return held_out.cwiseAbs().sum(); }
};

/// Rows of one path (or all).
struct Rows {
    std::vector<const KernelRow*> rows;
    FitData data;
};

Rows gather(const std::vector<const KernelRow*>& rows, const GpuPeaks& peaks) {
    Rows result{rows, {{}, VectorXd(static_cast<Index>(rows.size())), peaks}};
    for (std::size_t i = 0; i < rows.size(); ++i) {
        result.data.operators.push_back(&rows[i]->op);
        result.data.log_seconds[static_cast<Index>(i)] = std::log(rows[i]->seconds);
    }
    return result;
}

MatrixXd features_of(const KernelForm& form, const FitData& data) {
    MatrixXd result(data.size(), static_cast<Index>(form.feature_names.size()));
    for (Index i = 0; i < data.size(); ++i) {
        const FormFeatures f = form.features(*data.operators[static_cast<std::size_t>(i)], data.peaks);
        for (Index c = 0; c < result.cols(); ++c) result(i, c) = f.values[static_cast<std::size_t>(c)];
    }
    return result;
}

Parts random_parts(std::size_t count) {
    std::vector<Index> order(count);
    std::iota(order.begin(), order.end(), Index{0});
    std::mt19937_64 random(count);
    for (std::size_t i = count; i > 1; --i) std::swap(order[i - 1], order[random() % i]);
    // Few rows are left out one by one.
    Parts parts(count <= 4 * folds ? count : folds);
    for (std::size_t i = 0; i < count; ++i) parts[i % parts.size()].push_back(order[i]);
    return parts;
}

Parts parts_by_shape(const std::vector<const KernelRow*>& rows) {
    std::map<std::string, std::size_t> shapes;
    for (const KernelRow* row : rows) shapes.emplace(row->shape, shapes.size());
    Parts parts(std::min(shapes.size(), folds));
    for (std::size_t i = 0; i < rows.size(); ++i)
        parts[shapes.at(rows[i]->shape) % parts.size()].push_back(static_cast<Index>(i));
    return parts;
}

VectorXd weights_without(const VectorXd& weights, const std::vector<Index>& left_out) {
    VectorXd result = weights;
    for (const Index row : left_out) result[row] = 0.0;
    return result;
}

std::vector<Index> others(Index count, const std::vector<Index>& left_out) {
    std::vector<bool> out(static_cast<std::size_t>(count), false);
    for (const Index row : left_out) out[static_cast<std::size_t>(row)] = true;
    std::vector<Index> result;
    for (Index i = 0; i < count; ++i)
        if (!out[static_cast<std::size_t>(i)]) result.push_back(i);
    return result;
}

/// Residuals of the form alone for all rows, once for each part left out.
std::vector<VectorXd> residuals_by_part(const KernelForm& form, const FitData& data, const ConstantPrior& prior,
                                        const VectorXd& start, const Parts& parts) {
    std::vector<VectorXd> result;
    for (const auto& part : parts) {
        const std::vector<Index> kept = others(data.size(), part);
        const ConstantFit fit =
            kept.empty() ? ConstantFit{prior.center, {}, 0.1} : fit_constants(form, data.subset(kept), prior, start);
        result.push_back(log_residuals(form, data, fit.logs));
    }
    return result;
}

/// ln(measured / predicted) of rows left out. Where the rows are few, widths of the learner are chosen anew without
/// each part: chosen with it, they would make the errors look smaller than they are.
VectorXd left_out_residuals(const Parts& parts, const std::vector<VectorXd>& by_part, const LearnerFit* learner,
                            const LearnerShape& shape, double bound) {
    if (parts.size() < 2) return {};  // what is all there is has nothing to stand for it
    VectorXd result(by_part.front().size());
    const bool few = result.size() < most_for_nested_choice;
    for (std::size_t p = 0; p < parts.size(); ++p) {
        VectorXd corrected = by_part[p];
        if (learner != nullptr) {
            const VectorXd weights = weights_without(huber_weights(by_part[p], robust_scale(by_part[p])), parts[p]);
            if (weights.maxCoeff() > 0)
                corrected -= learner->corrections(few ? learner->choose(by_part[p], weights) : shape, by_part[p],
                                                  weights, bound);
        }
        for (const Index row : parts[p]) result[row] = corrected[row];
    }
    return result;
}

Candidate fit_form(const std::string& name, const KernelForm& form, const Rows& rows, const ConstantPrior& prior,
                   const FitOptions& options) {
    Candidate result{name, &form, fit_constants(form, rows.data, prior, prior.center), {}, {}, {}, {}};
    const Parts parts = random_parts(rows.rows.size()), shapes = parts_by_shape(rows.rows);
    const auto by_part = residuals_by_part(form, rows.data, prior, result.constants.logs, parts);
    const auto by_shape = residuals_by_part(form, rows.data, prior, result.constants.logs, shapes);
    result.held_out = left_out_residuals(parts, by_part, nullptr, {}, 0);
    result.fitted = log_residuals(form, rows.data, result.constants.logs);
    if (!options.learner || rows.rows.size() < fewest_for_learner) {
        result.shape_held_out = left_out_residuals(shapes, by_shape, nullptr, {}, 0);
        return result;
    }
    const LearnerFit learner(features_of(form, rows.data), options.most_centers, form.jumps);
    const VectorXd weights = huber_weights(result.fitted, result.constants.scale);
    const LearnerShape shape = learner.choose(result.fitted, weights);
    VectorXd corrected = left_out_residuals(parts, by_part, &learner, shape, options.learner_bound);
    if (corrected.cwiseAbs().sum() < 0.98 * result.error()) {
        result.shape = shape;
        result.held_out = std::move(corrected);
        result.fitted -= learner.corrections(shape, VectorXd(result.fitted), weights, options.learner_bound);
    }
    result.shape_held_out =
        left_out_residuals(shapes, by_shape, result.shape ? &learner : nullptr, shape, options.learner_bound);
    return result;
}

/// Whether a fit has the less error on rows left out. Few rows prefer a form by luck: one with fewer constants, which
/// has less to say of where there are no rows, must do better by a tenth there.
bool better(const Candidate& one, const Candidate& other) {
    const auto share = [](const Candidate& a, const Candidate& b) {
        const bool simpler = a.form->constants.size() < b.form->constants.size();
        return a.fitted.size() < few_rows && simpler ? 1.0 - luck : 1.0;
    };
    return one.error() * share(other, one) < other.error() * share(one, other);
}

/// The form with the least error on rows left out.
Candidate best_form(const Rows& rows, const FitOptions& options, const Candidate* base) {
    std::optional<Candidate> best;
    for (const auto& [name, form] : kernel_forms()) {
        if (form.kernel != rows.rows.front()->group.kernel) continue;
        if (!options.forms.empty() &&
            std::find(options.forms.begin(), options.forms.end(), name) == options.forms.end())
            continue;
        // A path has the constants of the kernel's other paths unless its rows say otherwise.
        ConstantPrior prior = prior_of(form);
        if (base != nullptr && base->form != &form) continue;
        if (base != nullptr) prior.center = base->constants.logs;
        Candidate candidate = fit_form(name, form, rows, prior, options);
        if (!best || better(candidate, *best)) best = std::move(candidate);
    }
    PLIMSOLL_ASSERT(best.has_value());
    return *best;
}

std::vector<ValidRange> ranges_of(const KernelForm& form, const FitData& data) {
    const MatrixXd features = features_of(form, data);
    std::vector<ValidRange> ranges;
    for (Index c = 0; c < features.cols(); ++c)
        ranges.push_back({std::string(form.feature_names[static_cast<std::size_t>(c)]),
                          std::exp(features.col(c).minCoeff()), std::exp(features.col(c).maxCoeff())});
    return ranges;
}

/// Residuals as wide as those of rows that the fit has not seen. Of rows drawn at random these are the ones left out.
/// Spread rows left out lie farther from the rest than any row between them; what the form misses by grows from the
/// fitted residual in proportion to that distance, as a smooth misfit does, so that other rows miss by a share of it.
std::vector<double> as_predicted(const Candidate& fit, const Rows& rows) {
    std::vector<double> result;
    for (Index i = 0; i < fit.held_out.size(); ++i)
        result.push_back(fit.fitted[i] +
                         rows.rows[static_cast<std::size_t>(i)]->reach * (fit.held_out[i] - fit.fitted[i]));
    return result;
}

KernelModel model_from(const Candidate& fit, const Rows& rows, const std::string& path, const FitOptions& options) {
    const KernelGroup& group = rows.rows.front()->group;
    KernelModel model;
    model.kernel = group.kernel, model.library = group.library, model.topology = group.topology;
    model.dtype = group.dtype, model.kv_dtype = group.kv_dtype;
    model.path = path, model.form = fit.form_name;
    model.points = rows.rows.size();
    model.source = rows.rows.front()->source;
    std::vector<double> weights;
    for (const KernelRow* row : rows.rows) weights.push_back(row->stands_for);
    for (Index i = 0; i < fit.constants.logs.size(); ++i) {
        const double value = std::exp(fit.constants.logs[i]);
        model.constants.push_back({std::string(fit.form->constants[static_cast<std::size_t>(i)].name), value,
                                   value * std::sqrt(fit.constants.covariance(i, i))});
        for (Index j = 0; j < fit.constants.logs.size(); ++j)
            model.covariance.push_back(fit.constants.covariance(i, j));
    }
    if (fit.shape) {
        const VectorXd residuals = log_residuals(*fit.form, rows.data, fit.constants.logs);
        model.learner =
            LearnerFit(features_of(*fit.form, rows.data), options.most_centers, fit.form->jumps)
                .learner(*fit.shape, residuals, huber_weights(residuals, fit.constants.scale), options.learner_bound);
    }
    model.residuals = residuals_from(as_predicted(fit, rows), weights);
    model.shape_residuals = residuals_from({fit.shape_held_out.begin(), fit.shape_held_out.end()}, weights);
    model.ranges = ranges_of(*fit.form, rows.data);
    return model;
}

void add_outliers(const Candidate& fit, const Rows& rows, std::vector<Outlier>& outliers) {
    // Six robust deviations and a third: what noise and a form's own error do not do.
    const double far = std::max(6 * robust_scale(fit.held_out), std::log(4.0 / 3.0));
    for (Index i = 0; i < fit.held_out.size(); ++i)
        if (std::abs(fit.held_out[i]) > far)
            outliers.push_back({rows.rows[static_cast<std::size_t>(i)]->place, std::exp(fit.held_out[i])});
}

}  // namespace

const KernelModel& GroupFit::model_of(const Operator& op) const {
    const std::string_view path = kernel_forms().find(models.front().form)->path(op);
    for (const KernelModel& model : models)
        if (model.path == path) return model;
    return models.front();
}

Seconds predict(const KernelModel& model, const Operator& op, const GpuPeaks& peaks) {
    const KernelForm& form = kernel_forms().at(model.form, "form", "profile");
    std::vector<double> constants;
    for (const FittedConstant& constant : model.constants) constants.push_back(constant.value);
    return form.time(op, peaks, constants).total() * std::exp(log_correction(form, model.learner, op, peaks));
}

GroupFit fit_group(const std::vector<KernelRow>& rows, const GpuPeaks& peaks, const FitOptions& options) {
    PLIMSOLL_ASSERT(rows.size() >= fewest_rows);
    std::vector<const KernelRow*> rest;
    for (const KernelRow& row : rows) rest.push_back(&row);
    Rows remaining = gather(rest, peaks);
    Candidate base = best_form(remaining, options, nullptr);
    std::map<std::string_view, std::vector<const KernelRow*>> by_path;
    for (const KernelRow& row : rows) by_path[base.form->path(row.op)].push_back(&row);
    struct Chosen {
        std::string path;
        Candidate fit;
        Rows rows;
    };
    std::vector<Chosen> chosen;
    for (const auto& [path, members] : by_path) {
        if (!options.paths || path.empty() || members.size() < fewest_for_path) continue;
        std::vector<const KernelRow*> without;
        for (const KernelRow* row : remaining.rows)
            if (base.form->path(row->op) != path) without.push_back(row);
        if (without.size() < fewest_for_path) continue;
        const Rows apart = gather(members, peaks);
        Rows left = gather(without, peaks);
        Candidate alone = best_form(left, options, nullptr);
        Candidate own = best_form(apart, options, &alone);
        // Few rows look apart by luck: they must do much better so.
        const bool few = std::min(members.size(), without.size()) < enough_for_path;
        if (alone.error() + own.error() >= (few ? 0.7 : 0.95) * base.error()) continue;
        chosen.push_back({std::string(path), std::move(own), apart});
        remaining = std::move(left), base = std::move(alone);
    }
    GroupFit result{rows.front().group, {model_from(base, remaining, "", options)}, {}};
    add_outliers(base, remaining, result.outliers);
    for (const Chosen& c : chosen) {
        result.models.push_back(model_from(c.fit, c.rows, c.path, options));
        add_outliers(c.fit, c.rows, result.outliers);
    }
    return result;
}

}  // namespace plimsoll
