#pragma once
#include <optional>
#include <string>
#include <vector>

#include "model/base/error.hpp"
#include "model/capacity/simulated.hpp"
#include "model/capacity/uncertainty.hpp"
#include "model/cost/memory.hpp"
#include "model/spec/forecast.hpp"
#include "model/spec/scenario.hpp"

namespace plimsoll {

/// The most that a scenario's bounds on nodes and cost leave of a candidate that needs more.
struct WithinBounds {
    int nodes = 0;                         ///< with spares; 0: not even those of one instance
    double users = 0;                      ///< registered ones (closed load)
    PerSecond rate;                        ///< in the mean, as the scenario states it (open load)
    std::optional<DollarsPerSecond> cost;  ///< of these nodes under that load

    /// Of the same scenario: fewer users or requests.
    [[nodiscard]] bool carries_less_than(const WithinBounds& other) const {
        return users != other.users ? users < other.users : rate < other.rate;
    }
};

/// One way of serving one model on one node type, judged.
struct Candidate {
    Deployment deployment;
    MemoryBudget memory;
    double largest_batch = 0;           ///< requests running at once at the most, one instance
    std::optional<Infeasible> refusal;  ///< set: everything below is empty, but for one that is beyond the bounds
    /// Set beside the refusal of one that needs more than the bounds; what is below is then as if there were none.
    std::optional<WithinBounds> within_bounds;

    double users_per_instance = 0;  ///< most that meet the promises (closed load), all of the load at the most
    PerSecond rate_per_instance;    ///< most that meets the promises (open load); closed: rate at that many users
    double users_per_node = 0;
    PerSecond rate_per_node;
    Forecast at_capacity;  ///< one instance at its most users or rate
    Forecast at_load;      ///< one instance when the load is spread over the nodes without the spares

    int nodes_needed = 0;  ///< without spares
    int nodes = 0;         ///< with spares
    int gpus = 0;
    bool survives_one_node_down = false;             ///< the promises still hold with one node of `nodes` gone
    std::optional<Forecast> one_node_down;           ///< absent when no node is left
    std::optional<DollarsPerSecond> cost;            ///< of all nodes; absent: a price is unknown
    std::string cost_unknown;                        ///< which price
    std::optional<Dollars> cost_per_million_tokens;  ///< output tokens at the planned load
    Watts power;                                     ///< drawn by the site at the planned load
    Joules energy_per_token;                         ///< output token
    Origin origin = Origin::estimated;               ///< weakest used
    std::optional<Uncertainty> uncertainty;          ///< of the best of an answer
    bool pareto = false;  ///< no other candidate of the same model is cheaper, smaller in power and faster
    std::optional<Simulated> simulated;  ///< absent: not asked (the planner itself never does)
};

/// A published value beside the prediction for the layout that it was published for; the error is
/// (predicted - measured) / measured.
struct Comparison {
    std::string quantity;
    Deployment deployment;  ///< the candidate predicted
    double measured = 0, predicted = 0, error = 0;
    std::string source;
};

/// The choice for one model (on one node type, where node types are compared).
struct Answer {
    const Transformer* model = nullptr;
    const Node* node = nullptr;     ///< null: the choice was free and nothing was feasible
    std::optional<Candidate> best;  ///< absent: nothing feasible
    /// Absent a best one, that of those beyond the bounds which carries most within them.
    std::optional<Candidate> nearest;
    std::vector<Candidate> runners_up;
    std::string reason;  ///< why nothing is feasible, or why the best beat the next
    std::vector<Comparison> comparisons;
};

struct Plan {
    std::vector<Answer> answers;
    std::vector<Candidate> candidates;    ///< all, in the order tried
    [[nodiscard]] bool feasible() const;  ///< at least one answer has a best candidate
};

}  // namespace plimsoll
