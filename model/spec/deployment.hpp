#pragma once
#include "model/spec/engine.hpp"
#include "model/spec/gpu.hpp"
#include "model/spec/measured_kernels.hpp"
#include "model/spec/node.hpp"
#include "model/spec/transformer.hpp"

namespace plimsoll {

/// How a node, or a group of `hosts` such nodes, is used: which model on which engine, split how. The entries belong to
/// the catalog.
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
    int hosts = 1;               ///< nodes that an instance spans, a part of its pipeline on each
    int instances_per_node = 1;  ///< or per group of so many nodes
    int max_sequences = 0;       ///< the engine's limit or the one under trial

    [[nodiscard]] int gpus_per_instance() const { return tensor_parallel * pipeline_parallel; }
    [[nodiscard]] int gpus_per_host() const { return gpus_per_instance() / hosts; }
    /// On so many nodes, where groups are whole.
    [[nodiscard]] int instances_on(int nodes) const { return nodes / hosts * instances_per_node; }
    /// An instance's part of a node's load is this many instances' load.
    [[nodiscard]] double instances_a_node() const { return static_cast<double>(instances_per_node) / hosts; }
};

}  // namespace plimsoll
