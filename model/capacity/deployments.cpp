#include "model/capacity/deployments.hpp"

#include <algorithm>

#include "model/cost/kernel_choice.hpp"
#include "model/cost/memory.hpp"
#include "model/cost/speculation.hpp"

namespace plimsoll {
namespace {

std::vector<int> powers_of_two(int least, int most) {
    std::vector<int> values;
    for (int value = least; value <= most; value *= 2) values.push_back(value);
    return values;
}

/// Weight dtypes to try: the scenario's, or the one that the model is published in where engine and GPU run it, or
/// else one of 16 bits.
std::vector<Dtype> weights_to_try(const Scenario& scenario, const Deployment& d) {
    if (!scenario.weights.empty()) return scenario.weights;
    const Dtype native = d.model->native_dtype;
    const auto& runs = d.engine->weights;
    const bool known = std::find(runs.begin(), runs.end(), native) != runs.end();
    if (native != Dtype::fp32 && known && d.gpu->supports(native)) return {native};
    const bool wide = native == Dtype::fp16 || native == Dtype::fp32;
    return {!wide && d.gpu->supports(Dtype::bf16) ? Dtype::bf16 : Dtype::fp16};
}

bool fits(const Architecture& architecture, const Deployment& d) {
    if (architecture.refusal(split_of(d)) || speculation_refusal(d) || d.gpus_per_host() > d.node->gpus) return false;
    return !memory_budget(architecture, d).refusal(*d.gpu);
}

struct Degrees {
    int tensor, pipeline, hosts;
};

/// What becomes of experts and attention among the ranks of a stage.
struct Inside {
    int expert, attention_data, context;
};

/// The degrees that the scenario names, or 1 and `most` where that is worth a trial.
std::vector<int> asked_or(const std::vector<int>& asked, bool worth, int most) {
    if (!asked.empty()) return asked;
    return worth && most > 1 ? std::vector<int>{1, most} : std::vector<int>{1};
}

/// The largest power of two of ranks that divide a context; 1 where no ranks hold the same KV values.
int most_context_ranks(const Architecture& architecture, int tensor) {
    int most = 1;
    while (!architecture.refusal({.tensor = tensor, .context = 2 * most}) && 2 * most <= tensor) most *= 2;
    return most;
}

/// Layouts inside a stage to try. Dense models gain nothing from any, so that their plans do not pay for them.
std::vector<Inside> inside_to_try(const Scenario& scenario, const Architecture& architecture, const Deployment& d) {
    const Layouts& can = d.engine->layouts;
    const bool experts = architecture.expert_layers_per_stage({}) > 0, copies = architecture.ranks_copy_kv();
    const int tensor = d.tensor_parallel;
    const bool shares = can.context && (experts || copies) && scenario.context_parallel.empty();
    const auto of_expert = asked_or(scenario.expert_parallel, can.expert && experts, tensor);
    const auto of_groups = asked_or(scenario.attention_data_parallel, can.attention_data && experts && copies, tensor);
    const auto of_context =
        asked_or(scenario.context_parallel, shares, shares ? most_context_ranks(architecture, tensor) : 1);
    std::vector<Inside> result;
    for (const int expert : of_expert)
        for (const int groups : of_groups)
            for (const int context : of_context) {
                const bool asked = !scenario.expert_parallel.empty() || !scenario.attention_data_parallel.empty() ||
                                   !scenario.context_parallel.empty();
                const Split split{.tensor = tensor, .expert = expert, .attention_data = groups, .context = context};
                const bool plain = expert == 1 && groups == 1 && context == 1;
                if (asked || plain || !architecture.refusal(split)) result.push_back({expert, groups, context});
            }
    return result;
}

/// Appends the tensor and pipeline degrees to try for engine and weights of `d` over `hosts` hosts; says whether the
/// weights fit with any.
bool add_degrees(const Scenario& scenario, const Architecture& architecture, Deployment d, int hosts,
                 std::vector<Degrees>& degrees) {
    const std::vector<int> tensors =
        scenario.tensor_parallel.empty() ? powers_of_two(1, d.node->gpus) : scenario.tensor_parallel;
    const bool asked = !scenario.pipeline_parallel.empty();
    bool any_fits = false;
    const auto add = [&](int tensor, int pipeline) {
        degrees.push_back({tensor, pipeline, hosts});
        d.tensor_parallel = tensor;
        d.pipeline_parallel = pipeline;
        d.hosts_per_instance = hosts;
        any_fits = any_fits || fits(architecture, d);
    };
    for (const int tensor : tensors)
        for (const int pipeline : asked ? scenario.pipeline_parallel : std::vector<int>{hosts}) add(tensor, pipeline);
    // A draft has no stages.
    if (any_fits || asked || scenario.speculation) return any_fits;
    for (const int tensor : tensors)
        for (const int stages : powers_of_two(2, d.node->gpus / tensor)) add(tensor, hosts * stages);
    return any_fits;
}

/// The degrees to try: over more than one host only where one is not enough, and then as few as are.
std::vector<Degrees> degrees_to_try(const Scenario& scenario, const Architecture& architecture, const Deployment& d) {
    /// Unless more are asked for.
    constexpr int most_hosts = 8;
    std::vector<Degrees> degrees;
    for (const int hosts : scenario.hosts_per_instance) add_degrees(scenario, architecture, d, hosts, degrees);
    if (!scenario.hosts_per_instance.empty()) return degrees;
    if (add_degrees(scenario, architecture, d, 1, degrees)) return degrees;
    if (!d.engine->layouts.hosts || d.node->nics == 0 || scenario.speculation) return degrees;
    for (int hosts = 2; hosts <= most_hosts; hosts *= 2) {
        std::vector<Degrees> over_hosts;
        if (!add_degrees(scenario, architecture, d, hosts, over_hosts)) continue;
        degrees.insert(degrees.end(), over_hosts.begin(), over_hosts.end());
        break;
    }
    return degrees;
}

/// Appends the deployment with every number of instances and every limit to try.
void add_counts(const Scenario& scenario, Deployment d, std::vector<Deployment>& result) {
    const int fill = std::max(1, d.node->gpus / d.gpus_per_host());
    const auto limits =
        scenario.max_sequences.empty() ? std::vector<int>{d.engine->max_sequences} : scenario.max_sequences;
    const auto counts = scenario.instances_per_node.empty() ? std::vector<int>{fill} : scenario.instances_per_node;
    for (const int instances : counts)
        for (const int sequences : limits) {
            d.instances_per_node = instances;
            d.max_sequences = sequences;
            result.push_back(d);
        }
}

}  // namespace

std::vector<Deployment> deployments(const Scenario& scenario, const Architecture& architecture, const Node& node,
                                    Catalog& catalog) {
    std::vector<Deployment> result;
    Deployment d{.node = &node, .gpu = &catalog.gpus.at(node.gpu, node.name), .model = &architecture.model()};
    d.kv = scenario.kv;
    d.speculation = scenario.speculation;
    for (const Engine* engine : scenario.engines) {
        d.engine = &catalog.engine_on(*engine, *d.gpu);
        for (const Dtype weights : weights_to_try(scenario, d)) {
            d.weights = weights;
            set_kernels(d, catalog, scenario.profiles);
            d.max_sequences = d.engine->max_sequences;
            d.expert_parallel = d.attention_data_parallel = d.context_parallel = d.hosts_per_instance = 1;
            for (const Degrees degrees : degrees_to_try(scenario, architecture, d)) {
                d.tensor_parallel = degrees.tensor;
                d.pipeline_parallel = degrees.pipeline;
                d.hosts_per_instance = degrees.hosts;
                for (const Inside inside : inside_to_try(scenario, architecture, d)) {
                    d.expert_parallel = inside.expert;
                    d.attention_data_parallel = inside.attention_data;
                    d.context_parallel = inside.context;
                    add_counts(scenario, d, result);
                }
            }
        }
    }
    return result;
}

}  // namespace plimsoll
