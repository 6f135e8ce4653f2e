#include "scenarios/step_validation.hpp"

#include <algorithm>
#include <cmath>

#include "model/base/error.hpp"
#include "model/cost/kernel_choice.hpp"
#include "model/cost/step_cost.hpp"
#include "scenarios/measured_row.hpp"
#include "simulator/instance.hpp"

namespace plimsoll {
namespace {

/// No step or prefill takes longer than an hour, s; milliseconds written as seconds often do.
constexpr double longest = 3600;

/// An engine that adds nothing to its kernels.
Engine no_engine() {
    Engine engine;
    engine.name = "none";
    engine.max_sequences = 1;
    engine.kernel_efficiency.value = 1.0;
    return engine;
}

double number(const Csv& table, std::size_t row, const std::string& column, double least) {
    const auto value = table.number(row, column);
    const std::string place = table.place(row) + " " + column;
    if (!value) throw InputError(place, "is empty; a number is needed");
    if (!std::isfinite(*value) || *value < least || *value > 1e12)
        throw InputError(place, "'" + table.text(row, column) + "' is out of range");
    return *value;
}

double number_or(const Csv& table, std::size_t row, const std::string& column, double fallback) {
    return table.number(row, column) ? number(table, row, column, 0) : fallback;
}

StepRow read_row(const Csv& table, std::size_t i) {
    StepRow row{.place = table.place(i),
                .model = table.text(i, "model"),
                .gpu = table.text(i, "gpu"),
                .weights = table.text(i, "weights_dtype")};
    const std::string& phase = table.text(i, "phase");
    row.prefill = phase == step_phases[0];
    if (!row.prefill && phase != step_phases[1]) {
        row.skipped = "the phase '" + phase + "' is neither prefill nor decode";
        return row;
    }
    const std::string& wanted = row.prefill ? "prompt_tokens" : "context_tokens";
    for (const std::string& column : {std::string("batch"), wanted})
        if (table.text(i, column).empty()) {
            row.skipped = "no " + column;
            return row;
        }
    row.batch = number(table, i, "batch", 1);
    row.prompt = row.prefill ? number(table, i, "prompt_tokens", 1) : 0;
    row.context = row.prefill ? number_or(table, i, "context_tokens", 0) : number(table, i, "context_tokens", 1);
    row.measured = number(table, i, "seconds", 0);
    row.deviation = number_or(table, i, "deviation_s", 0);
    if (row.measured <= 0) throw InputError(row.place + " seconds", "must be above zero");
    if (row.measured > longest)
        throw InputError(row.place + " seconds",
                         "'" + table.text(i, "seconds") + "' s is no time of a step: is it in milliseconds?");
    return row;
}

/// The prompts one after another, `chunk` tokens at a time, whichever sequences they are of.
Seconds prefill_time(const StepCost& cost, const StepRow& row, double chunk) {
    Seconds time;
    double left = row.batch * row.prompt, done_of_one = 0;
    while (left > 0) {
        double room = std::min(chunk, left), sequences = 0, tokens = 0, pairs = 0;
        while (room > 0) {
            const double part = std::min(room, row.prompt - done_of_one);
            pairs += causal_pairs(part, row.context + done_of_one);
            tokens += part;
            sequences += 1;
            room -= part;
            done_of_one += part;
            if (done_of_one >= row.prompt) done_of_one = 0;
        }
        time += cost.prefill(sequences, tokens, pairs);
        left -= tokens;
    }
    return time;
}

/// Fills a deployment in; says why not where the row's names lead nowhere.
std::string set_deployment(Deployment& d, const Csv& table, std::size_t i, const StepRow& row,
                           const StepAssumptions& assumptions, Catalog& catalog) {
    std::string problem;
    d.model = model_of_row(table, i, catalog, problem);
    if (d.model == nullptr) return problem;
    d.tensor_parallel = static_cast<int>(number_or(table, i, "tp", 1));
    if (assumptions.node.empty()) {
        d.gpu = gpu_of_row(table, i, catalog, problem);
        if (d.gpu == nullptr) return problem;
        d.node = node_for(*d.gpu, d.tensor_parallel, catalog);
    } else {
        d.node = &catalog.nodes.at(assumptions.node, "--node");
        d.gpu = &catalog.gpus.at(d.node->gpu, d.node->name);
    }
    if (d.node == nullptr || d.tensor_parallel > d.node->gpus)
        return "no node of the database has " + std::to_string(d.tensor_parallel) + " of these GPUs";
    // llama.cpp counts the output as one more.
    if (const double layers = number_or(table, i, "gpu_layers", d.model->layers + 1); layers <= d.model->layers)
        return "only " + std::to_string(static_cast<int>(layers)) + " layers were on the GPU";
    d.weights = assumptions.weights ? *assumptions.weights : parse_dtype(row.weights, row.place + " weights_dtype");
    return {};
}

void predict(StepRow& row, const Csv& table, std::size_t i, const Engine& engine, const StepAssumptions& assumptions,
             Catalog& catalog) {
    Deployment d;
    row.skipped = set_deployment(d, table, i, row, assumptions, catalog);
    if (!row.skipped.empty()) return;
    d.engine = &catalog.engine_on(engine, *d.gpu);
    d.max_sequences = d.engine->max_sequences;
    set_kernels(d, catalog, assumptions.profiles);
    row.gpu = d.gpu->name;
    row.model = d.model->name;
    row.weights = to_string(d.weights);
    const Architecture architecture(*d.model);
    if (const auto why = architecture.refusal({.tensor = d.tensor_parallel})) row.skipped = *why;
    if (!d.gpu->supports(arithmetic_dtype(d.weights)))
        row.skipped = d.gpu->name + " does not compute in " + row.weights;
    if (!row.skipped.empty()) return;
    const StepCost cost(architecture, d);
    const double chunk = number_or(table, i, "chunk_tokens", row.batch * row.prompt);
    row.predicted =
        (row.prefill ? prefill_time(cost, row, std::max(1.0, chunk)) : cost.decode(row.batch, row.batch * row.context))
            .value();
}

}  // namespace

StepValidation validate_steps(const Csv& table, const StepAssumptions& assumptions, Catalog& catalog) {
    table.require({"model", "weights_dtype", "gpu", "phase", "batch", "prompt_tokens", "context_tokens", "seconds"});
    const Engine engine = assumptions.engine.empty() ? no_engine() : catalog.engines.at(assumptions.engine, "--engine");
    StepValidation result;
    std::array<std::vector<double>, step_phases.size()> errors;
    for (std::size_t i = 0; i < table.rows(); ++i) {
        StepRow& row = result.rows.emplace_back(read_row(table, i));
        if (row.skipped.empty()) predict(row, table, i, engine, assumptions, catalog);
        if (row.skipped.empty()) errors[row.prefill ? 0 : 1].push_back(row.error());
    }
    for (std::size_t phase = 0; phase < errors.size(); ++phase) result.summary[phase] = summary_of(errors[phase]);
    result.assumptions = {
        assumptions.engine.empty() ? std::string("engine: none, so that the times are of the kernels alone")
                                   : "engine: the host's times of " + assumptions.engine,
        "node: " + (assumptions.node.empty() ? "the largest of the row's GPU in the database" : assumptions.node),
        "weights: " + (assumptions.weights ? std::string(to_string(*assumptions.weights)) : "the row's")};
    return result;
}

}  // namespace plimsoll
