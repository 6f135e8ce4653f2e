#pragma once
#include <string>
#include <vector>

#include "cli/document.hpp"
#include "model/capacity/plan.hpp"

namespace plimsoll {

/// How much of a plan people want to read; machines always get all of it.
struct PlanDetail {
    bool verbose = false;  ///< runners-up, tails, memory, sources
    bool all = false;      ///< every candidate
};

/// What a plan answers.
[[nodiscard]] Document plan_document(const Scenario& scenario, const Plan& plan, PlanDetail detail);

/// The columns of an answer or a candidate; titles and priorities suit the promises. `verbose` gives more of them
/// titles.
[[nodiscard]] std::vector<Column> candidate_columns(const Scenario& scenario, bool verbose);
/// The cells for these columns; null: nothing is feasible. `reason`: why the best won, or why there is none.
[[nodiscard]] Row candidate_row(const Scenario& scenario, const Transformer* model, const Node* node,
                                const Candidate* candidate, const std::string& reason);

/// " 900 users fit on a node, bound by KV memory, then prefill. Simulated, 860 (95 % interval 840 to 872) fit, which
/// takes 12 nodes: the forecast is 4.7 % above that."
[[nodiscard]] std::string capacity_sentences(const Scenario& scenario, const Candidate& best);
/// "10 nodes and 30.00 USD/h"; empty for a scenario without bounds.
[[nodiscard]] std::string bounds_text(const Scenario& scenario);
/// Of a model that no candidate serves within the bounds: the most users or requests that they leave, and where.
[[nodiscard]] std::string beyond_sentence(const Scenario& scenario, const Candidate& nearest);
/// Adds for people the node types that need more than the bounds, first those that carry most within them: a few, or
/// all of them.
void add_beyond_bounds(const Scenario& scenario, const Plan& plan, const Transformer* model, bool all,
                       std::vector<Item>& items);
/// The answer for a model that carries most within the bounds, where none keeps them; null: there is none.
[[nodiscard]] const Answer* nearest_answer(const Plan& plan, const Transformer* model);
/// "12.5 requests/s", "1 request/s".
[[nodiscard]] std::string requests_a_second(double rate);
/// The latencies of a model's answers, forecast and simulated, for people.
[[nodiscard]] Table simulated_latencies(const Plan& plan, const Transformer* model);

/// "20 to 25", "9 or more".
[[nodiscard]] std::string interval_text(Interval interval);
/// "2 x TP4", "1 x TP4 PP2".
[[nodiscard]] std::string layout_text(const Deployment& deployment);
/// The same for a table, the nodes that an instance spans on a line of their own, which leaves room beside.
[[nodiscard]] Cell layout_cell(const Deployment& deployment);
/// The best answer for a model: the cheapest node where all costs are known, otherwise that with the fewest GPUs.
[[nodiscard]] const Answer* best_answer(const Plan& plan, const Transformer* model);

}  // namespace plimsoll
