#include "scenarios/step_validation.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <tuple>

#include <fmt/format.h>

#include "model/base/error.hpp"
#include "model/cost/kernel_choice.hpp"
#include "model/cost/step_cost.hpp"
#include "scenarios/instance_run.hpp"
#include "scenarios/measured_row.hpp"

namespace plimsoll {
namespace {

/// An engine that adds nothing to its kernels, and whose batches wait for nobody.
Engine no_engine() {
    Engine engine;
    engine.name = "none";
    engine.scheduling = Scheduling::static_batch;
    engine.scheduler = "static-batching";
    engine.reservation = KvReservation::full;
    engine.block_tokens = 1;
    engine.max_sequences = 1;
    engine.memory_fraction.value = 1.0;
    engine.kernel_efficiency.value = 1.0;
    return engine;
}

/// The engine as a benchmark calls it, with tokens and not through its server: no request is received and tokenized.
Engine without_server(Engine engine) {
    engine.host.per_request.value = Seconds(0);
    engine.host.front_end.value = Seconds(0);
    return engine;
}

/// The prompts one after another, `chunk` tokens at a time, whichever sequences they are of. In a pipeline each
/// chunk follows the one before it a stage behind, and the last goes all the way.
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
        left -= tokens;
        time += cost.prefill(sequences, tokens, pairs) / (left > 0 ? cost.stages() : 1.0);
    }
    return time;
}

/// The whole batch sent at once to an idle engine; nothing where the engine turns it away.
std::optional<Seconds> batch_time(const Deployment& d, const StepRow& row) {
    Workload workload;
    workload.prompt = Distribution::fixed(row.prompt);
    workload.output = Distribution::fixed(row.output);
    const Instance instance(d, &workload);
    const InstanceRunner runner(instance, workload, Distribution::fixed(0));
    const auto requests = static_cast<std::uint32_t>(std::lround(row.batch));
    const InstanceMeans means = runner.run({.users = requests, .requests = requests, .ramp = Seconds(0)});
    if (means.request_rate.value() <= 0) return std::nullopt;
    return Seconds(requests / means.request_rate.value());
}

/// Fills a deployment in; says why not where the row's names lead nowhere.
std::string set_deployment(Deployment& d, const Csv& table, std::size_t i, const StepAssumptions& assumptions,
                           Catalog& catalog) {
    std::string problem;
    d.model = model_of_row(table, i, catalog, problem);
    if (d.model == nullptr) return problem;
    d.tensor_parallel = ranks_or_one(table, i, "tp");
    d.pipeline_parallel = ranks_or_one(table, i, "pp");
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
    // A pipeline goes on to further nodes, as many stages on each.
    while (d.gpus_per_host() > d.node->gpus || d.pipeline_parallel % d.hosts_per_instance != 0) ++d.hosts_per_instance;
    // llama.cpp counts the output as one more.
    if (const double layers = number_or(table, i, "gpu_layers", d.model->layers + 1); layers <= d.model->layers)
        return "only " + std::to_string(static_cast<int>(layers)) + " layers were on the GPU";
    const auto weights = assumptions.weights ? assumptions.weights : dtype_of_row(table, i, problem);
    if (!weights) return problem;
    d.weights = *weights;
    if (!d.gpu->supports(arithmetic_dtype(d.weights)))
        return d.gpu->name + " does not compute in " + std::string(to_string(d.weights));
    return {};
}

/// Why a decode's contexts cannot have been in memory, whatever else lies there, if so.
std::string too_large(const Architecture& architecture, const Deployment& d, const StepRow& row) {
    const MemoryBudget memory = memory_budget(architecture, d);
    const Bytes room = d.gpu->usable_memory.value - memory.weights;
    if (memory.kv_of_new_token * (row.batch * row.context) <= room) return {};
    return fmt::format("beside the weights a GPU has room for {:.0f} tokens, not {:.0f}",
                       std::max(0.0, room / memory.kv_of_new_token), row.batch * row.context);
}

/// Most prompt tokens that the engine computes together; infinite where it has no such limit.
double chunk_of(const Engine& engine) {
    const int limit = engine.scheduling == Scheduling::chunked             ? engine.max_step_tokens
                      : engine.scheduling == Scheduling::exclusive_prefill ? engine.max_prefill_tokens
                                                                           : 0;
    const std::uint32_t piece = scheduler_named(engine.scheduler, "engine " + engine.name).defaults.ubatch_tokens;
    const double most = limit > 0 ? limit : std::numeric_limits<double>::infinity();
    return piece > 0 ? std::min(most, static_cast<double>(piece)) : most;
}

void predict(StepRow& row, const Csv& table, std::size_t i, const Engine& engine, const StepAssumptions& assumptions,
             Catalog& catalog) {
    Deployment d;
    row.skipped = set_deployment(d, table, i, assumptions, catalog);
    if (!row.skipped.empty()) return;
    const Engine on_gpu = with_limits_of(engine, *d.gpu);
    d.engine = &on_gpu;
    // Who times a batch sets the engine up for it.
    d.max_sequences = std::max(d.engine->max_sequences, static_cast<int>(row.batch));
    set_kernels(d, catalog, assumptions.profiles);
    row.gpu = d.gpu->name;
    row.model = d.model->name;
    row.weights = to_string(d.weights);
    const Architecture architecture(*d.model);
    if (const auto why = architecture.refusal(split_of(d))) row.skipped = *why;
    if (row.phase == StepPhase::mixed && row.skipped.empty()) row.skipped = refusal_of(d).value_or("");
    if (!row.skipped.empty()) return;
    if (row.phase == StepPhase::mixed) {
        const auto time = batch_time(d, row);
        if (!time) row.skipped = "the engine takes no request of this length";
        row.predicted = time.value_or(Seconds(0)).value();
        return;
    }
    if (row.phase == StepPhase::decode) row.skipped = too_large(architecture, d, row);
    if (!row.skipped.empty()) return;
    const StepCost cost(architecture, d);
    const double chunk = number_or(table, i, "chunk_tokens", chunk_of(*d.engine));
    row.predicted = (row.phase == StepPhase::prefill ? prefill_time(cost, row, std::max(1.0, chunk))
                                                     : cost.decode(row.batch, row.batch * row.context))
                        .value();
}

void summarize(StepValidation& result) {
    std::array<std::vector<double>, step_phases.size()> by_phase;
    std::map<std::tuple<std::string, std::string, std::string, StepPhase>, std::vector<double>> by_group;
    for (const StepRow& row : result.rows) {
        if (!row.skipped.empty()) continue;
        by_phase[static_cast<std::size_t>(row.phase)].push_back(row.error());
        by_group[{row.source, row.engine, row.gpu, row.phase}].push_back(row.error());
    }
    for (std::size_t phase = 0; phase < by_phase.size(); ++phase) result.summary[phase] = summary_of(by_phase[phase]);
    for (const auto& [key, errors] : by_group)
        result.groups.push_back(
            {std::get<0>(key), std::get<1>(key), std::get<2>(key), std::get<3>(key), summary_of(errors)});
    if (result.groups.empty() && !result.rows.empty())
        throw InputError(result.rows.front().place,
                         "not one of the " + std::to_string(result.rows.size()) +
                             " rows can be predicted, this one because: " + result.rows.front().skipped);
}

}  // namespace

StepValidation validate_steps(const Csv& table, const StepAssumptions& assumptions, Catalog& catalog) {
    table.require({"model", "weights_dtype", "gpu", "phase", "batch", "prompt_tokens", "context_tokens", "seconds"});
    const Engine engine =
        assumptions.engine.empty() ? no_engine() : without_server(catalog.engines.at(assumptions.engine, "--engine"));
    StepValidation result;
    for (std::size_t i = 0; i < table.rows(); ++i) {
        StepRow& row = result.rows.emplace_back(read_step_row(table, i));
        if (row.skipped.empty()) predict(row, table, i, engine, assumptions, catalog);
    }
    summarize(result);
    result.assumptions = {
        assumptions.engine.empty() ? std::string("engine: none, so that the times are of the kernels alone")
                                   : "engine: the host's times of a step, the limits and the rules of " +
                                         assumptions.engine + "; no server in front of it",
        "node: " + (assumptions.node.empty() ? "the largest of the row's GPU in the database" : assumptions.node),
        "weights: " + (assumptions.weights ? std::string(to_string(*assumptions.weights)) : "the row's")};
    return result;
}

}  // namespace plimsoll
