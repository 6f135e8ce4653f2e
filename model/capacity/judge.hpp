#pragma once
#include "model/capacity/forecaster.hpp"
#include "model/capacity/plan.hpp"

namespace plimsoll {

/// Users or requests a second in all.
[[nodiscard]] double demand_of(const Scenario& scenario);
/// Nodes, without spares, whose instances carry `per_instance` users or requests a second each; infinite for none.
[[nodiscard]] double nodes_for(const Scenario& scenario, const Deployment& deployment, double per_instance);

/// Judges one way after the other of using a node for one model under the scenario's load: refuses what cannot be, and
/// finds for the rest the most that an instance carries, the nodes, their price and power.
class Judge {
  public:
    Judge(const Scenario& scenario, const Architecture& architecture)
        : scenario_(&scenario), architecture_(&architecture) {}

    [[nodiscard]] Candidate operator()(const Deployment& deployment) const;
    /// Adds what the errors of the constants leave open. Capacity and latencies follow from the times of a decode step
    /// and of a prefill, and from the size of the KV cache where that counts; along the directions in which these move,
    /// both are computed anew.
    void add_uncertainty(Candidate& candidate) const;

  private:
    /// Of users who come back; none for an open load.
    [[nodiscard]] Seconds think_time() const { return Seconds(scenario_->load.think_time.mean()); }
    [[nodiscard]] std::optional<Distribution> think_shape() const {
        return closed() ? std::optional(scenario_->load.think_time) : std::nullopt;
    }
    [[nodiscard]] bool closed() const { return scenario_->load.kind == Load::Kind::closed; }
    [[nodiscard]] double demand() const { return demand_of(*scenario_); }
    [[nodiscard]] std::optional<Infeasible> refuse(const Deployment& deployment) const;
    [[nodiscard]] std::optional<Infeasible> refuse_lengths(const Deployment& deployment) const;
    [[nodiscard]] Capacity capacity_of(Forecaster& forecaster) const;
    /// The users or requests a second of that capacity alone.
    [[nodiscard]] double most_carried(Forecaster& forecaster) const;
    /// What was found of it.
    [[nodiscard]] double carried(const Candidate& candidate) const {
        return closed() ? candidate.users_per_instance : candidate.rate_per_instance.value();
    }
    [[nodiscard]] std::string broken_promise(const Forecast& forecast) const;
    [[nodiscard]] Forecast at_nodes(Forecaster& forecaster, const Deployment& deployment, int nodes) const;
    /// A decode step of the batch at capacity and the mean prompts that are prefilled together there: by Little's law
    /// those between arrival and first token, without those who wait for a place, within the engine's budget.
    [[nodiscard]] StepShape typical_step(const Candidate& candidate) const;
    /// Directions of the constants' errors that move an instance of the candidate.
    [[nodiscard]] std::vector<ByCause<double>> directions(const StepCost& cost, const Candidate& candidate,
                                                          const ByCause<double>& spread) const;
    struct Evaluations;
    void evaluate(const StepCost& cost, const Candidate& candidate, const MemoryBudget& budget, Evaluations& all) const;
    /// Whether what the memory account may be off by moves the capacity of an instance.
    [[nodiscard]] bool memory_counts(const StepCost& cost, const Candidate& candidate) const;
    void find_capacity(Forecaster& forecaster, Candidate& candidate) const;
    void size(Forecaster& forecaster, Candidate& candidate, double nodes) const;
    /// As many nodes as keep the promises with the confidence that is asked for, or a refusal.
    void make_sure(Forecaster& forecaster, Candidate& candidate) const;

    const Scenario* scenario_;
    const Architecture* architecture_;
};

}  // namespace plimsoll
