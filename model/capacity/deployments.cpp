#include "model/capacity/deployments.hpp"

#include <algorithm>

#include "model/cost/kernel_choice.hpp"
#include "model/cost/memory.hpp"

namespace plimsoll {
namespace {

std::vector<int> powers_of_two(int least, int most) {
    std::vector<int> values;
    for (int value = least; value <= most; value *= 2) values.push_back(value);
    return values;
}

/// Weight dtypes to try: the scenario's, or the 16-bit type that both model and GPU know.
std::vector<Dtype> weights_to_try(const Scenario& scenario, const Transformer& model, const Gpu& gpu) {
    if (!scenario.weights.empty()) return scenario.weights;
    return {model.native_dtype == Dtype::bf16 && gpu.supports(Dtype::bf16) ? Dtype::bf16 : Dtype::fp16};
}

bool fits(const Architecture& architecture, const Deployment& d) {
    const Split split{.tensor = d.tensor_parallel, .pipeline = d.pipeline_parallel};
    if (architecture.refusal(split) || d.gpus_per_instance() > d.node->gpus) return false;
    return !memory_budget(architecture, d).refusal(*d.gpu);
}

struct Degrees {
    int tensor, pipeline;
};

/// Tensor and pipeline degrees to try for engine and weights of `d`.
std::vector<Degrees> degrees_to_try(const Scenario& scenario, const Architecture& architecture, Deployment d) {
    const std::vector<int> tensors =
        scenario.tensor_parallel.empty() ? powers_of_two(1, d.node->gpus) : scenario.tensor_parallel;
    std::vector<Degrees> degrees;
    bool any_fits = false;
    for (const int tensor : tensors) {
        for (const int pipeline :
             scenario.pipeline_parallel.empty() ? std::vector<int>{1} : scenario.pipeline_parallel) {
            degrees.push_back({tensor, pipeline});
            d.tensor_parallel = tensor;
            d.pipeline_parallel = pipeline;
            any_fits = any_fits || fits(architecture, d);
        }
    }
    if (any_fits || !scenario.pipeline_parallel.empty()) return degrees;
    for (const int tensor : tensors)
        for (const int pipeline : powers_of_two(2, d.node->gpus / tensor)) degrees.push_back({tensor, pipeline});
    return degrees;
}

}  // namespace

std::vector<Deployment> deployments(const Scenario& scenario, const Architecture& architecture, const Node& node,
                                    Catalog& catalog) {
    std::vector<Deployment> result;
    Deployment d{.node = &node, .gpu = &catalog.gpus.at(node.gpu, node.name), .model = &architecture.model()};
    d.kv = scenario.kv;
    for (const Engine* engine : scenario.engines) {
        d.engine = engine;
        const auto limits =
            scenario.max_sequences.empty() ? std::vector<int>{engine->max_sequences} : scenario.max_sequences;
        for (const Dtype weights : weights_to_try(scenario, *d.model, *d.gpu)) {
            d.weights = weights;
            set_kernels(d, catalog, scenario.profiles);
            d.max_sequences = engine->max_sequences;
            for (const Degrees degrees : degrees_to_try(scenario, architecture, d)) {
                d.tensor_parallel = degrees.tensor;
                d.pipeline_parallel = degrees.pipeline;
                const int fill = std::max(1, node.gpus / d.gpus_per_instance());
                for (const int instances :
                     scenario.instances_per_node.empty() ? std::vector<int>{fill} : scenario.instances_per_node) {
                    for (const int sequences : limits) {
                        d.instances_per_node = instances;
                        d.max_sequences = std::min(sequences, engine->max_sequences);
                        result.push_back(d);
                    }
                }
            }
        }
    }
    return result;
}

}  // namespace plimsoll
