#include "calibrate/fit_serving.hpp"

#include <algorithm>
#include <cmath>

#include <Eigen/Dense>

#include "model/base/error.hpp"

namespace plimsoll {
namespace {

constexpr std::size_t columns = serving_columns.size();
/// Step of the differences, in prior deviations: wide enough to smooth over the steps of a simulated schedule.
constexpr double difference = 0.25;
/// No constant is believed further from its default, in prior deviations.
constexpr double farthest = 4.0;

double log_odds(double share) {
    return std::log(share / (1.0 - share));
}

/// A constant at so many prior deviations from its default.
double value_at(const ServingConstant& c, double u) {
    if (!c.share) return c.value * std::exp(u * c.deviation / c.value);
    return 1.0 / (1.0 + std::exp(-(log_odds(c.value) + u * c.deviation / (c.value * (1.0 - c.value)))));
}

/// d value / d u there.
double slope_at(const ServingConstant& c, double u) {
    const double value = value_at(c, u);
    return c.share ? value * (1.0 - value) * c.deviation / (c.value * (1.0 - c.value)) : value * c.deviation / c.value;
}

class Problem {
  public:
    Problem(const std::vector<ServingConstant>& constants, const std::vector<ServingRow>& rows,
            const std::function<std::vector<ServingMeans>(const std::vector<ServingTrial>&)>& predict,
            const ServingFitSettings& settings)
        : constants_(constants), rows_(rows), predict_(predict), settings_(settings) {}

    using Used = std::vector<bool>;  ///< rows
    struct State {
        Eigen::VectorXd u;          ///< [constants] prior deviations from the defaults
        Eigen::VectorXd residuals;  ///< [rows x columns] ln(predicted / measured) / scatter; 0 where unused
        Eigen::MatrixXd jacobian;   ///< of the residuals, empty until asked for
        double loss = 0;
    };

    [[nodiscard]] Used everything() const { return Used(rows_.size(), true); }
    /// Descends to the optimum for all rows; the state ends with its Jacobian.
    [[nodiscard]] State fitted_to_all() const {
        State state = evaluated(Eigen::VectorXd::Zero(static_cast<Eigen::Index>(constants_.size())), everything());
        double damping = 1e-3;
        for (int i = 0; i < settings_.iterations; ++i) {
            differentiate(state, everything());
            State next = step(state, everything(), damping);
            const double gain = state.loss - next.loss;
            if (gain <= 0) break;
            state = std::move(next);
            if (gain < 1e-3 * (1.0 + state.loss)) break;
        }
        if (state.jacobian.size() == 0) differentiate(state, everything());
        return state;
    }

    /// The optimum without some rows, from that with all. `steps` of them are made with the Jacobian at hand, which is
    /// near enough where little is left out; `renewals` times it is taken anew.
    [[nodiscard]] State without(const State& all, const Used& used, int renewals) const {
        State state = masked(all, used);
        double damping = 1e-3;
        for (int renewal = 0;; ++renewal) {
            for (int i = 0; i < settings_.held_out_steps; ++i) {
                State next = step(state, used, damping);
                const double gain = state.loss - next.loss;
                if (gain <= 0) break;
                next.jacobian = std::move(state.jacobian);
                state = std::move(next);
                if (gain < 1e-3 * (1.0 + state.loss)) break;
            }
            if (renewal >= renewals) return state;
            differentiate(state, used);
        }
    }

    /// The state needs a Jacobian.
    [[nodiscard]] ServingFit fit_of(const State& state) const {
        ServingFit fit;
        fit.loss = state.loss;
        const Eigen::VectorXd weights = weights_of(state);
        Eigen::MatrixXd curvature = state.jacobian.transpose() * weights.asDiagonal() * state.jacobian;
        curvature.diagonal().array() += 1.0;
        const Eigen::MatrixXd covariance = curvature.inverse();
        for (std::size_t j = 0; j < constants_.size(); ++j) {
            const auto index = static_cast<Eigen::Index>(j);
            fit.values.push_back(value_at(constants_[j], state.u[index]));
            fit.standard_errors.push_back(slope_at(constants_[j], state.u[index]) *
                                          std::sqrt(covariance(index, index)));
        }
        return fit;
    }

  private:
    [[nodiscard]] std::vector<double> values_at(const Eigen::VectorXd& u) const {
        std::vector<double> values;
        for (std::size_t j = 0; j < constants_.size(); ++j)
            values.push_back(value_at(constants_[j], u[static_cast<Eigen::Index>(j)]));
        return values;
    }
    [[nodiscard]] static Eigen::Index place(std::size_t row, std::size_t column) {
        return static_cast<Eigen::Index>(row * columns + column);
    }
    [[nodiscard]] double residual(std::size_t row, std::size_t column, const ServingMeans& predicted) const {
        const auto& measured = rows_[row].measured[column];
        return measured ? std::log(std::max(predicted[column], 1e-9) / *measured) / settings_.scatter[column] : 0.0;
    }

    /// The state with nothing of the rows that are not used.
    [[nodiscard]] State masked(State state, const Used& used) const {
        for (std::size_t row = 0; row < rows_.size(); ++row) {
            if (used[row]) continue;
            for (std::size_t c = 0; c < columns; ++c) {
                state.residuals[place(row, c)] = 0;
                state.jacobian.row(place(row, c)).setZero();
            }
        }
        state.loss = loss_of(state);
        return state;
    }

    [[nodiscard]] State evaluated(const Eigen::VectorXd& u, const Used& used) const {
        State state;
        state.u = u;
        state.residuals = Eigen::VectorXd::Zero(place(rows_.size(), 0));
        const std::vector<double> values = values_at(u);
        std::vector<ServingTrial> trials;
        for (std::size_t row = 0; row < rows_.size(); ++row)
            if (used[row]) trials.push_back({row, values});
        const std::vector<ServingMeans> means = predict_(trials);
        for (std::size_t t = 0; t < trials.size(); ++t)
            for (std::size_t c = 0; c < columns; ++c)
                state.residuals[place(trials[t].row, c)] = residual(trials[t].row, c, means[t]);
        state.loss = loss_of(state);
        return state;
    }

    [[nodiscard]] static double loss_of(const State& state) {
        return 2.0 * ((1.0 + state.residuals.array().square()).sqrt() - 1.0).sum() + state.u.squaredNorm();
    }
    /// Of the squares that touch the loss at the residuals: d loss / d z = 2 w z.
    [[nodiscard]] static Eigen::VectorXd weights_of(const State& state) {
        return (1.0 + state.residuals.array().square()).rsqrt().matrix();
    }

    void differentiate(State& state, const Used& used) const {
        state.jacobian = Eigen::MatrixXd::Zero(state.residuals.size(), state.u.size());
        std::vector<ServingTrial> trials;
        std::vector<std::size_t> moved;
        std::array<std::vector<double>, 2> values;
        for (std::size_t j = 0; j < constants_.size(); ++j) {
            for (std::size_t side = 0; side < 2; ++side) {
                Eigen::VectorXd u = state.u;
                u[static_cast<Eigen::Index>(j)] += side == 0 ? difference : -difference;
                values[side] = values_at(u);
            }
            for (std::size_t row = 0; row < rows_.size(); ++row) {
                if (!used[row] || std::ranges::find(rows_[row].constants, j) == rows_[row].constants.end()) continue;
                for (const auto& side : values) trials.push_back({row, side});
                moved.push_back(j);
            }
        }
        const std::vector<ServingMeans> means = predict_(trials);
        for (std::size_t i = 0; i < moved.size(); ++i) {
            const std::size_t row = trials[2 * i].row;
            for (std::size_t c = 0; c < columns; ++c)
                state.jacobian(place(row, c), static_cast<Eigen::Index>(moved[i])) =
                    (residual(row, c, means[2 * i]) - residual(row, c, means[2 * i + 1])) / (2.0 * difference);
        }
    }

    /// The damped step that lowers the loss, or the state as it is.
    [[nodiscard]] State step(const State& state, const Used& used, double& damping) const {
        const Eigen::VectorXd weights = weights_of(state);
        Eigen::MatrixXd curvature = state.jacobian.transpose() * weights.asDiagonal() * state.jacobian;
        curvature.diagonal().array() += 1.0;
        const Eigen::VectorXd slope = state.jacobian.transpose() * weights.cwiseProduct(state.residuals) + state.u;
        for (int attempt = 0; attempt < 6; ++attempt) {
            Eigen::MatrixXd damped = curvature;
            damped.diagonal() *= 1.0 + damping;
            const Eigen::VectorXd u = (state.u - damped.ldlt().solve(slope)).cwiseMax(-farthest).cwiseMin(farthest);
            State next = evaluated(u, used);
            if (next.loss < state.loss) {
                damping = std::max(1e-4, damping / 5.0);
                return next;
            }
            damping = std::max(0.1, damping * 5.0);
        }
        return state;
    }

    const std::vector<ServingConstant>& constants_;
    const std::vector<ServingRow>& rows_;
    const std::function<std::vector<ServingMeans>(const std::vector<ServingTrial>&)>& predict_;
    const ServingFitSettings& settings_;
};

}  // namespace

ServingFits fit_serving(const std::vector<ServingConstant>& constants, const std::vector<ServingRow>& rows,
                        const std::function<std::vector<ServingMeans>(const std::vector<ServingTrial>&)>& predict,
                        const ServingFitSettings& settings) {
    const Problem problem(constants, rows, predict, settings);
    const Problem::State all = problem.fitted_to_all();
    ServingFits fits{.all = problem.fit_of(all), .without_row = {}, .without_group = {}};
    const auto without = [&](int renewals, const auto& left_out) {
        Problem::Used used;
        for (std::size_t row = 0; row < rows.size(); ++row) used.push_back(!left_out(row));
        return problem.fit_of(problem.without(all, used, renewals));
    };
    std::size_t groups = 0;
    for (const ServingRow& row : rows) groups = std::max(groups, row.group + 1);
    for (std::size_t row = 0; row < rows.size(); ++row)
        fits.without_row.push_back(without(0, [&](std::size_t other) { return other == row; }));
    for (std::size_t group = 0; group < groups; ++group)
        fits.without_group.push_back(without(1, [&](std::size_t other) { return rows[other].group == group; }));
    return fits;
}

}  // namespace plimsoll
