#pragma once
#include "model/capacity/forecaster.hpp"
#include "model/capacity/plan.hpp"

namespace plimsoll {

/// Judges one way after the other of using a node for one model under the scenario's load: refuses what cannot be, and
/// finds for the rest the most that an instance carries, the nodes, their price and power.
class Judge {
  public:
    Judge(const Scenario& scenario, const Architecture& architecture)
        : scenario_(&scenario), architecture_(&architecture) {}

    [[nodiscard]] Candidate operator()(const Deployment& deployment) const;
    /// Adds the interval of users and nodes in which 80 % of the draws of the constants' errors lie: the same search
    /// with all times longer and shorter by 1.28 standard deviations.
    void add_interval(Candidate& candidate) const;

  private:
    [[nodiscard]] bool closed() const { return scenario_->load.kind == Load::Kind::closed; }
    [[nodiscard]] double demand() const;
    [[nodiscard]] std::optional<Infeasible> refuse(const Deployment& deployment) const;
    [[nodiscard]] std::optional<Infeasible> refuse_lengths(const Deployment& deployment) const;
    [[nodiscard]] Capacity capacity_of(Forecaster& forecaster) const;
    [[nodiscard]] double nodes_for(double per_instance, const Deployment& deployment) const;
    [[nodiscard]] std::string broken_promise(const Forecast& forecast) const;
    [[nodiscard]] Forecast at_nodes(Forecaster& forecaster, const Deployment& deployment, int nodes) const;
    void find_capacity(Forecaster& forecaster, Candidate& candidate) const;
    void size(Forecaster& forecaster, Candidate& candidate) const;

    const Scenario* scenario_;
    const Architecture* architecture_;
};

}  // namespace plimsoll
