#include "model/cost/memory.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "model/base/units_text.hpp"
#include "model/cost/speculation.hpp"

namespace plimsoll {
namespace {

/// Adds the windows of the layers whose old tokens the engine frees. Where it makes groups of equal size, that is the
/// number of layers of the smallest kind, or of the largest where they hardly differ, and the last group of a kind is
/// filled up (vLLM v1/core/kv_cache_utils.py, _get_kv_cache_groups_uniform_page_size).
void add_windows(const std::vector<Architecture::KvKind>& kinds, const Engine& engine, MemoryBudget& budget) {
    const bool any = std::any_of(kinds.begin(), kinds.end(), [](const auto& kind) { return kind.window.has_value(); });
    if (!any || engine.windows == KvWindows::whole) return;
    std::map<std::optional<int>, double> layers, values;
    double all = 0, filled = 0;
    for (const auto& kind : kinds) {
        layers[kind.window] += kind.layers;
        values[kind.window] += kind.layers * kind.values;
        all += kind.layers * kind.values;
    }
    const auto fewer = [](const auto& a, const auto& b) { return a.second < b.second; };
    const double least = std::min_element(layers.begin(), layers.end(), fewer)->second;
    const double most = std::max_element(layers.begin(), layers.end(), fewer)->second;
    const double size = most < 1.25 * least ? most : least;
    for (auto& [window, value] : values) {
        if (engine.windows == KvWindows::grouped) value *= std::ceil(layers[window] / size) * size / layers[window];
        filled += value;
    }
    budget.kv_of_new_token = budget.kv_of_new_token * (filled / all);
    for (const auto& [window, value] : values)
        if (window) budget.windows.push_back({value / filled, static_cast<double>(*window)});
}

/// A draft keeps its own keys and values of every token, whatever windows the layers of its target have.
void add_draft_cache(Bytes per_token, MemoryBudget& budget) {
    const double share = budget.kv_of_new_token / (budget.kv_of_new_token + per_token);
    for (MemoryBudget::Window& window : budget.windows) window.share *= share;
    budget.kv_of_new_token += per_token;
}

/// Mean over the steps of requests, weighted by their length, of the tokens in all layers that take their memory, over
/// the tokens that they hold: prompts and outputs at 32 quantiles each, steps at 8 places.
double held_share(const MemoryBudget& budget, const Engine& engine, const Workload& workload) {
    constexpr int points = 32, places = 8;
    double held = 0, tokens = 0;
    for (int i = 0; i < points; ++i)
        for (int j = 0; j < points; ++j) {
            const double prompt = workload.prompt.quantile((i + 0.5) / points);
            const double output = workload.output.quantile((j + 0.5) / points);
            for (int k = 0; k < places; ++k) {
                const double generated = output * (k + 0.5) / places;
                const double now = prompt + (engine.reservation == KvReservation::full ? output : generated);
                tokens += output * now;
                held += output * budget.held(now, engine.block_tokens / 2.0);
            }
        }
    return tokens > 0 ? held / tokens : 1.0;
}

/// Relative deviations of the account from logs of vLLM (tests/data/reported_kv_memory.csv): twenty peaks are 0.91 to
/// 1.00 of what is logged, weights 0.99 to 1.00.
constexpr double activation_error = 0.1, weight_error = 0.005;

double deviation_of_kv(const Deployment& deployment, const MemoryBudget& budget) {
    const Engine& engine = *deployment.engine;
    const Sourced<Bytes>& reported = deployment.gpu->usable_memory;
    double variance = 0;
    const auto add = [&](Bytes deviation) { variance += deviation.value() * deviation.value(); };
    add(reported.standard_deviation * engine.memory_fraction.value);
    add(reported.value * engine.memory_fraction.standard_deviation);
    add(budget.activations * activation_error);
    add(budget.weights * weight_error);
    for (const auto* part : {&engine.framework_memory, &engine.workspace_memory, &engine.graph_memory})
        add(part->standard_deviation);
    if (deployment.gpus_per_instance() > 1) add(engine.communication_memory.standard_deviation);
    return std::sqrt(variance);
}

}  // namespace

std::optional<Infeasible> MemoryBudget::refusal(const Gpu& gpu) const {
    if (kv_tokens > 0) return std::nullopt;
    return Infeasible{"weights " + to_text(weights) + " + runtime " + to_text(fixed() - weights) +
                      " a GPU exceed the " + to_text(usable) + " of " + gpu.name + " by " + to_text(kv_least - kv)};
}

MemoryBudget memory_budget(const Architecture& architecture, const Deployment& deployment, const Workload* workload) {
    const Engine& engine = *deployment.engine;
    const Split split = split_of(deployment);
    MemoryBudget budget;
    const double fraction = engine.memory_fraction.value;
    budget.usable = deployment.gpu->usable_memory.value * (engine.fraction_of_free ? 1.0 : fraction);
    budget.weights = architecture.weight_bytes_per_rank(split, deployment.weights);
    const int tokens = batch_tokens(engine);
    const auto draft = draft_of(deployment);
    const int checked = draft ? deployment.speculation->tokens + 1 : 1;
    const double rows = std::min<double>(deployment.max_sequences * static_cast<double>(checked), tokens);
    if (draft) budget.weights += draft->weight_bytes_per_rank();
    const bool mxfp4 = deployment.weights == Dtype::mxfp4, triton = engine.mxfp4_kernels == Mxfp4Kernels::triton;
    if (mxfp4 && engine.mxfp4_kernels != Mxfp4Kernels::plain)
        budget.weights += architecture.filling_per_rank(split, deployment.weights, 256, triton ? 1 : 128);
    if (engine.activations_counted)
        budget.activations =
            architecture.activation_bytes(tokens, rows, split, deployment.weights, engine.sampler_bytes,
                                          engine.expert_workspace_kept && !(mxfp4 && triton));
    budget.workspace = engine.workspace_memory.value;
    budget.graphs = engine.graph_memory.value;
    budget.framework = engine.framework_memory.value;
    budget.communication = deployment.gpus_per_instance() > 1 ? engine.communication_memory.value : Bytes(0);
    budget.deviation = Bytes(deviation_of_kv(deployment, budget));
    budget.kv_of_new_token = architecture.kv_bytes_per_token_per_rank(split, deployment.kv);
    add_windows(architecture.kv_kinds(split), engine, budget);
    if (draft) add_draft_cache(draft->kv_bytes_per_token_per_rank(), budget);
    budget.kv_per_token = budget.kv_of_new_token;
    if (workload != nullptr && !budget.windows.empty())
        budget.kv_per_token = budget.kv_of_new_token * held_share(budget, engine, *workload);
    budget.kv_least = budget.kv_per_token * (engine.block_tokens * std::ceil(1.0 / (1.0 - engine.watermark)));
    return with_more_kv(budget, engine, (budget.usable - budget.fixed()) * (engine.fraction_of_free ? fraction : 1.0));
}

MemoryBudget with_more_kv(MemoryBudget budget, const Engine& engine, Bytes more) {
    budget.kv += more;
    const double blocks = std::floor(std::max(0.0, budget.kv / (budget.kv_per_token * engine.block_tokens)));
    budget.kv_tokens = std::floor(blocks * (1.0 - engine.watermark)) * engine.block_tokens;
    return budget;
}

double MemoryBudget::held(double tokens, double slack) const {
    double sum = tokens;
    for (const Window& window : windows) sum -= window.share * std::max(0.0, tokens - window.tokens - slack);
    return sum;
}

double printed_kv_tokens(const MemoryBudget& budget, const Deployment& deployment, double max_length) {
    const Engine& engine = *deployment.engine;
    const double blocks = std::floor(budget.kv / (budget.kv_of_new_token * engine.block_tokens));
    const double slack = engine.max_step_tokens + engine.block_tokens - 1.0;
    return blocks * engine.block_tokens * max_length / budget.held(max_length, slack);
}

KvDemand kv_demand(const Engine& engine, const Workload& workload) {
    const double prompt = workload.prompt.mean(), output = workload.output.mean();
    const double longest = workload.output.second_moment() / output;
    const double in_last_block = (engine.block_tokens - 1) / 2.0;
    if (engine.reservation == KvReservation::paged)
        return {.mean = prompt + (longest + 1.0) / 2.0 + in_last_block, .peak = prompt + output + in_last_block};
    if (engine.reservation == KvReservation::peak) {
        // Outputs of one length o and n ages spread over it: the peak is n (p + o / 2), and n times what is promised
        // beyond o.
        const double beyond = std::max(0.0, engine.reserved_output_tokens.value_or(0) - output);
        return {.mean = prompt + (longest + 1.0) / 2.0 + beyond, .peak = prompt + output + beyond};
    }
    if (engine.reserved_output_tokens) {
        const double held = prompt + *engine.reserved_output_tokens + in_last_block;
        return {.mean = held, .peak = held};
    }
    return {.mean = prompt + longest + in_last_block, .peak = prompt + output + in_last_block};
}

double largest_batch(const MemoryBudget& budget, const Deployment& deployment, const Workload& workload) {
    const double by_memory = budget.kv_tokens / kv_demand(*deployment.engine, workload).mean;
    return std::min<double>(by_memory, deployment.max_sequences);
}

}  // namespace plimsoll
