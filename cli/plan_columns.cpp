#include <algorithm>
#include <cctype>
#include <cmath>

#include <fmt/format.h>

#include "cli/plan_document.hpp"
#include "cli/plan_latency_columns.hpp"
#include "model/cost/kernel_choice.hpp"
#include "model/cost/split.hpp"

namespace plimsoll {
namespace {

/// A cell's column and how it is filled from a candidate that works.
struct Field {
    Column column;
    Cell (*cell)(const Candidate&);
    bool of_refused = false;  ///< filled from one that does not work, too
};

double instances(const Candidate& c) {
    return c.deployment.instances_on(c.nodes_needed);
}

std::vector<Field> size_fields() {
    std::vector<Field> fields{
        {{"weights", "", 0}, [](const Candidate& c) { return Cell(to_string(c.deployment.weights)); }},
        {{"kv_cache", "", 0}, [](const Candidate& c) { return Cell(to_string(c.deployment.kv)); }},
        {{"engine", "", 0}, [](const Candidate& c) { return Cell(c.deployment.engine->name); }},
        {{"tensor_parallel", "", 0}, [](const Candidate& c) { return Cell::count(c.deployment.tensor_parallel); }},
        {{"pipeline_parallel", "", 0}, [](const Candidate& c) { return Cell::count(c.deployment.pipeline_parallel); }},
        {{"expert_parallel", "", 0}, [](const Candidate& c) { return Cell::count(c.deployment.expert_parallel); }},
        {{"attention_data_parallel", "", 0},
         [](const Candidate& c) { return Cell::count(c.deployment.attention_data_parallel); }},
        {{"context_parallel", "", 0}, [](const Candidate& c) { return Cell::count(c.deployment.context_parallel); }},
        {{"hosts_per_instance", "", 0},
         [](const Candidate& c) { return Cell::count(c.deployment.hosts_per_instance); }},
        {{"instances_per_node", "", 0},
         [](const Candidate& c) { return Cell::count(c.deployment.instances_per_node); }},
        {{"max_sequences", "", 0}, [](const Candidate& c) { return Cell::count(c.deployment.max_sequences); }},
    };
    for (Field& field : fields) field.of_refused = true;
    fields.push_back({{"largest_batch", "", 0}, [](const Candidate& c) { return Cell::number(c.largest_batch); }});
    return fields;
}

/// A cell of what the errors of the constants leave open, where that was asked.
template <class Read>
Cell uncertain(const Candidate& c, Read read) {
    return c.uncertainty ? read(*c.uncertainty) : Cell();
}

/// The cell with its interval, where that was asked.
template <class Read>
Cell with(Cell cell, const Candidate& c, Read read) {
    if (c.uncertainty) cell.interval = read(*c.uncertainty);
    return cell;
}

/// Of users or rate.
Interval per_node(const Candidate& c, const Uncertainty& u) {
    const double instances = c.deployment.instances_a_node();
    return {u.capacity.low * instances, u.capacity.high * instances};
}

std::vector<Field> uncertainty_fields() {
    return {
        {{"nodes_interval.low", "", 0},
         [](const Candidate& c) {
             return uncertain(c, [](const Uncertainty& u) { return Cell::count(u.nodes.low); });
         }},
        {{"nodes_interval.high", "", 0},
         [](const Candidate& c) {
             return uncertain(c, [](const Uncertainty& u) { return Cell::count(u.nodes.high); });
         }},
        {{"promise_probability", "promises kept", 4},
         [](const Candidate& c) {
             return uncertain(c, [](const Uncertainty& u) { return Cell::fraction(u.promise_probability); });
         }},
        {{"users_per_instance_interval.low", "", 0},
         [](const Candidate& c) {
             return uncertain(c, [](const Uncertainty& u) { return Cell::count(u.capacity.low); });
         }},
        {{"users_per_instance_interval.high", "", 0},
         [](const Candidate& c) {
             return uncertain(c, [](const Uncertainty& u) { return Cell::count(u.capacity.high); });
         }},
    };
}

std::vector<Field> capacity_fields() {
    return {
        {{"", "layout", 0}, [](const Candidate& c) { return layout_cell(c.deployment); }, true},
        {{"nodes", "nodes", 0},
         [](const Candidate& c) {
             const double spares = c.nodes - c.nodes_needed;
             return with(Cell::count(c.nodes), c, [=](const Uncertainty& u) {
                 return Interval{u.nodes.low + spares, u.nodes.high + spares};
             });
         }},
        {{"nodes_needed", "", 0}, [](const Candidate& c) { return Cell::count(c.nodes_needed); }},
        {{"gpus", "GPUs", 1}, [](const Candidate& c) { return Cell::count(c.gpus); }},
        {{"users_per_instance", "", 0}, [](const Candidate& c) { return Cell::count(c.users_per_instance); }},
        {{"users_per_node", "users per node", 2},
         // The interval of the nodes says how sure this is, in less space.
         [](const Candidate& c) { return Cell::count(c.users_per_node); }},
        {{"rate_per_node_per_s", "requests per node /s", 6},
         [](const Candidate& c) {
             const Cell rate = Cell::number(c.rate_per_node.value());
             // Of users the rate follows; only of a rate is the interval one of its own.
             return c.users_per_node > 0 ? rate : with(rate, c, [&](const Uncertainty& u) { return per_node(c, u); });
         }},
        {{"overloaded", "", 0}, [](const Candidate& c) { return Cell::flag(c.at_load.overloaded); }},
        {{"utilization", "use of capacity", 7},
         [](const Candidate& c) { return Cell::fraction(c.at_load.utilization); }},
        {{"request_rate_per_s", "", 0},
         [](const Candidate& c) { return Cell::number(c.at_load.request_rate.value() * instances(c)); }},
        {{"output_tokens_per_s", "", 0},
         [](const Candidate& c) { return Cell::number(c.at_load.output_tokens_per_s * instances(c)); }},
        {{"running_per_instance", "", 0}, [](const Candidate& c) { return Cell::number(c.at_load.running); }},
        {{"waiting_per_instance", "", 0}, [](const Candidate& c) { return Cell::number(c.at_load.waiting); }},
    };
}

Cell kernels(const Candidate& c, OperatorKind kind) {
    return kernel_source(c.deployment, kind);
}

std::vector<Field> cost_fields() {
    return {
        {{"cost_usd_per_hour", "cost", 1, false, "USD/h"}, [](const Candidate& c) { return Cell(c.cost); }},
        {{"cost_usd_per_million_tokens", "million tokens", 8, false, "USD"},
         [](const Candidate& c) { return Cell(c.cost_per_million_tokens); }},
        {{"cost_unknown", "", 0}, [](const Candidate& c) { return c.cost ? Cell() : Cell(c.cost_unknown); }},
        {{"power_w", "power", 5, false, "kW"}, [](const Candidate& c) { return Cell(c.power); }},
        {{"energy_j_per_output_token", "", 0},
         [](const Candidate& c) { return Cell::number(c.energy_per_token.value()); }},
        {{"survives_one_node_down", "one node down", 9},
         [](const Candidate& c) { return Cell::flag(c.survives_one_node_down); }},
        {{"binding_constraint", "limited by", 2, true},
         [](const Candidate& c) { return Cell(to_string(c.at_capacity.binding)); }},
        {{"next_constraint", "then by", 10, true},
         [](const Candidate& c) { return Cell(to_string(c.at_capacity.next)); }},
        {{"pareto", "", 0}, [](const Candidate& c) { return Cell::flag(c.pareto); }},
        {{"origin", "weakest origin", 11, true}, [](const Candidate& c) { return Cell(to_string(c.origin)); }},
        {{"kernels.gemm", "", 0}, [](const Candidate& c) { return kernels(c, OperatorKind::gemm); }},
        {{"kernels.prefill_attention", "", 0},
         [](const Candidate& c) { return kernels(c, OperatorKind::prefill_attention); }},
        {{"kernels.decode_attention", "", 0},
         [](const Candidate& c) { return kernels(c, OperatorKind::decode_attention); }},
        {{"kernels.experts", "", 0},
         [](const Candidate& c) {
             return c.deployment.model->has_experts() ? Cell(experts_source(c.deployment)) : Cell();
         }},
        {{"kernels.all_reduce", "", 0},
         [](const Candidate& c) {
             return c.deployment.tensor_parallel > 1 ? Cell(collective_source(c.deployment)) : Cell();
         }},
        {{"beyond_measured", "", 0},
         [](const Candidate& c) { return uncertain(c, [](const Uncertainty& u) { return Cell(u.beyond_measured); }); }},
    };
}

/// A cell of a candidate beyond the scenario's bounds: of what it takes, and of what they leave.
template <class Read>
Cell beyond(const Candidate& c, Read read) {
    return c.within_bounds ? read(*c.within_bounds) : Cell();
}

std::vector<Field> bound_fields() {
    std::vector<Field> fields{
        {{"beyond_bounds.nodes", "", 0},
         [](const Candidate& c) { return beyond(c, [&](const WithinBounds&) { return Cell::count(c.nodes); }); }},
        {{"beyond_bounds.cost_usd_per_hour", "", 0},
         [](const Candidate& c) { return beyond(c, [&](const WithinBounds&) { return Cell(c.cost); }); }},
        {{"within_bounds.nodes", "", 0},
         [](const Candidate& c) { return beyond(c, [](const WithinBounds& w) { return Cell::count(w.nodes); }); }},
        {{"within_bounds.users", "", 0},
         [](const Candidate& c) {
             return beyond(c, [](const WithinBounds& w) { return w.users > 0 ? Cell::count(w.users) : Cell(); });
         }},
        {{"within_bounds.rate_per_s", "", 0},
         [](const Candidate& c) {
             return beyond(c, [](const WithinBounds& w) {
                 return w.rate > PerSecond(0) ? Cell::number(w.rate.value()) : Cell();
             });
         }},
        {{"within_bounds.cost_usd_per_hour", "", 0},
         [](const Candidate& c) { return beyond(c, [](const WithinBounds& w) { return Cell(w.cost); }); }},
    };
    for (Field& field : fields) field.of_refused = true;
    return fields;
}

/// A cell of what the simulator says, where it was asked.
template <class Read>
Cell simulated(const Candidate& c, Read read) {
    return c.simulated && c.simulated->refusal.empty() ? read(*c.simulated) : Cell();
}

std::vector<Field> simulated_fields() {
    return {
        {{"simulated.users_per_instance", "", 0},
         [](const Candidate& c) {
             return simulated(c, [](const Simulated& s) { return Cell::count(s.users_per_instance); });
         }},
        {{"simulated.users_interval.low", "", 0},
         [](const Candidate& c) {
             return simulated(c, [](const Simulated& s) { return Cell::count(s.users_interval.low); });
         }},
        {{"simulated.users_interval.high", "", 0},
         [](const Candidate& c) {
             return simulated(c, [](const Simulated& s) { return Cell::count(s.users_interval.high); });
         }},
        {{"", "simulated", 3},
         [](const Candidate& c) {
             return simulated(c, [&](const Simulated& s) {
                 const double instances = c.deployment.instances_a_node();
                 return s.users_per_instance > 0 ? Cell::count(s.users_per_instance * instances)
                                                 : Cell::number(s.rate_per_instance.value() * instances);
             });
         }},
        {{"simulated.rate_per_instance_per_s", "", 0},
         [](const Candidate& c) {
             return simulated(c, [](const Simulated& s) {
                 return s.users_per_instance > 0 ? Cell() : Cell::number(s.rate_per_instance.value());
             });
         }},
        {{"simulated.gap_users", "gap", 3},
         [](const Candidate& c) { return simulated(c, [](const Simulated& s) { return Cell(Kind::change, s.gap); }); }},
        {{"simulated.nodes", "simulated nodes", 4},
         [](const Candidate& c) {
             return simulated(c, [](const Simulated& s) { return Cell::count(s.nodes_needed); });
         }},
        {{"simulated.nodes_interval.low", "", 0},
         [](const Candidate& c) {
             return simulated(c, [](const Simulated& s) { return Cell::count(s.nodes_interval.low); });
         }},
        {{"simulated.nodes_interval.high", "", 0},
         [](const Candidate& c) {
             return simulated(c, [](const Simulated& s) { return Cell::count(s.nodes_interval.high); });
         }},
        {{"simulated.requests", "", 0},
         [](const Candidate& c) {
             return simulated(c, [](const Simulated& s) { return Cell::count(static_cast<double>(s.requests)); });
         }},
        {{"simulated.refused_share", "", 0},
         [](const Candidate& c) {
             return simulated(c, [](const Simulated& s) { return Cell::fraction(s.refused_share); });
         }},
        {{"simulated.refusal", "", 0},
         [](const Candidate& c) {
             return c.simulated && !c.simulated->refusal.empty() ? Cell(c.simulated->refusal) : Cell();
         }},
    };
}

const std::vector<Field>& fields() {
    static const std::vector<Field> all = [] {
        std::vector<Field> together;
        for (const auto& part : {size_fields(), uncertainty_fields(), capacity_fields(), simulated_fields(),
                                 cost_fields(), bound_fields()})
            together.insert(together.end(), part.begin(), part.end());
        return together;
    }();
    return all;
}

/// Where the latencies stand among the columns: behind the use of capacity, and the simulated ones with their
/// intervals behind the share refused.
const std::string latencies_behind = "utilization", simulated_behind = "simulated.refused_share";

}  // namespace

std::string interval_text(Interval interval) {
    if (!std::isfinite(interval.high)) return plain_number(interval.low) + " or more";
    const std::string low = plain_number(interval.low), high = plain_number(interval.high);
    return low == high ? low : low + " to " + high;
}

std::string layout_text(const Deployment& d) {
    return fmt::format("{} x {}", d.instances_per_node, split_text(d));
}

Cell layout_cell(const Deployment& d) {
    std::string text = layout_text(d);
    if (const auto hosts = text.find(" over "); hosts != text.npos) text[hosts] = '\n';
    return {std::move(text)};
}

std::vector<Column> candidate_columns(const Scenario& scenario, bool verbose) {
    std::vector<Column> columns{{"model", "model", 0}, {"node", "node", 0, true}, {"gpu", "", 0}};
    for (const Field& field : fields()) {
        columns.push_back(field.column);
        if (field.column.key == latencies_behind) add_latency_columns(scenario, verbose, columns);
        if (field.column.key == simulated_behind) add_simulated_columns(columns);
    }
    columns.push_back({"reason", "", 1, true});
    if (scenario.load.kind == Load::Kind::open)
        for (Column& column : columns) {
            if (column.key == "users_per_node") column.title.clear();
            if (column.key == "rate_per_node_per_s") column.priority = 2;
        }
    return columns;
}

Row candidate_row(const Scenario& scenario, const Transformer* model, const Node* node, const Candidate* candidate,
                  const std::string& reason) {
    const Node* used = candidate ? candidate->deployment.node : node;
    const bool works = candidate && !candidate->refusal;
    Row row{model->name, used ? Cell(used->name) : Cell(), used ? Cell(used->gpu) : Cell()};
    for (const Field& field : fields()) {
        row.push_back(works || (candidate && field.of_refused) ? field.cell(*candidate) : Cell());
        if (field.column.key == latencies_behind) add_latencies(works ? candidate : nullptr, row);
        if (field.column.key == simulated_behind) add_simulated(works ? candidate : nullptr, row);
    }
    row.push_back(reason.empty() ? Cell() : Cell(reason));
    if (scenario.load.kind != Load::Kind::open) return row;
    static const std::vector<Column> columns = candidate_columns(scenario, false);  // keys are those of any scenario
    for (std::size_t i = 0; i < row.size(); ++i)
        if (columns[i].key.find("users_") != std::string::npos) row[i] = Cell();
    return row;
}

}  // namespace plimsoll
