#pragma once
#include <optional>

#include "model/spec/engine.hpp"
#include "model/spec/gpu.hpp"
#include "model/spec/measured_kernels.hpp"
#include "model/spec/node.hpp"
#include "model/spec/speculation.hpp"
#include "model/spec/transformer.hpp"

namespace plimsoll {

/// How a node, or several together, is used: which model on which engine, split how. The entries belong to the catalog.
struct Deployment {
    const Node* node = nullptr;
    const Gpu* gpu = nullptr;
    const EfficiencyClass* efficiency = nullptr;
    const MeasuredKernels* measured = nullptr;  ///< before the class's constants; null: none
    const Transformer* model = nullptr;
    const Engine* engine = nullptr;
    Dtype weights = Dtype::fp16;
    Dtype kv = Dtype::fp16;
    int tensor_parallel = 1;
    int expert_parallel = 1;  ///< these three are degrees among the tensor ranks
    int attention_data_parallel = 1;
    int context_parallel = 1;
    int pipeline_parallel = 1;
    int hosts_per_instance = 1;  ///< its pipeline's stages lie on so many nodes, as many on each
    int instances_per_node = 1;  ///< that have ranks on a node
    int max_sequences = 0;       ///< the engine's limit or the one under trial
    std::optional<Speculation> speculation = std::nullopt;

    [[nodiscard]] int gpus_per_instance() const { return tensor_parallel * pipeline_parallel; }
    [[nodiscard]] int gpus_per_host() const { return gpus_per_instance() / hosts_per_instance; }
    /// Whole instances: as many nodes as one spans carry `instances_per_node` of them together.
    [[nodiscard]] int instances_on(int nodes) const { return nodes / hosts_per_instance * instances_per_node; }
    /// Of a node, its share of those that span several.
    [[nodiscard]] double instances_a_node() const {
        return static_cast<double>(instances_per_node) / hosts_per_instance;
    }
};

}  // namespace plimsoll
