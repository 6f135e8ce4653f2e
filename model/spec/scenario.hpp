#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/spec/deployment.hpp"
#include "model/spec/load.hpp"
#include "model/spec/slo.hpp"

namespace plimsoll {

/// What a node costs: bought and written off, or rented.
struct CostTerms {
    bool rented = false;
    Seconds amortization;                            ///< over which the purchase is spread
    double pue = 1.0;                                ///< power drawn by the site over power drawn by the machines
    DollarsPerJoule tariff;                          ///< electricity
    std::optional<DollarsPerSecond> rental_per_gpu;  ///< overrides the GPU entry's
};

/// A published or measured value that a plan prints beside its own.
struct MeasuredValue {
    const Transformer* model = nullptr;
    const Node* node = nullptr;
    int tensor_parallel = 0;     ///< 0: whatever the plan chose
    int instances_per_node = 0;  ///< 0: whatever the plan chose
    std::optional<double> nodes, users_per_node, users_per_instance;
    std::optional<Seconds> ttft_mean, tpot_mean;
    std::string source;
};

/// A question with all names resolved.
struct Scenario {
    std::string name;
    std::string description;
    std::vector<const Transformer*> models;
    std::vector<const Engine*> engines;
    std::vector<const Node*> nodes;
    std::vector<Dtype> weights;
    Dtype kv = Dtype::fp16;
    std::vector<int> tensor_parallel;    ///< empty: all that are legal
    std::vector<int> pipeline_parallel;  ///< empty: 1, and more where the weights do not fit otherwise
    std::vector<int> expert_parallel, attention_data_parallel, context_parallel;  ///< empty: where they promise much
    std::vector<int> hosts_per_instance;  ///< empty: 1, and more where the weights do not fit otherwise
    std::vector<int> instances_per_node;  ///< empty: as many as fit on the node's GPUs
    std::vector<int> max_sequences;       ///< empty: the engine's
    std::optional<Speculation> speculation;
    std::string acceptance_source;  ///< empty: the user's own
    ProfileChoice profiles;
    Workload workload;  ///< what engines see of it: context of sessions included, classes pooled
    Workload sent;      ///< what the clients of a load without classes send: with sessions, messages
    Load load;
    Slo slo;
    int spares = 0;         ///< nodes beyond those needed
    double headroom = 0.0;  ///< fraction of capacity kept free
    std::optional<double>
        confidence;                ///< probability with which the nodes keep the promises; absent: the forecast's own
    std::optional<int> max_nodes;  ///< with spares; absent: as many as it takes
    std::optional<DollarsPerSecond> max_cost;  ///< of all nodes; absent: whatever it costs
    bool compare_nodes = true;                 ///< an answer for each node; otherwise the cheapest node wins
    CostTerms cost;
    std::vector<MeasuredValue> measured;
    std::vector<std::string> assumptions;  ///< defaults that were taken, for the answer to state
    std::vector<std::string> left_out;     ///< what it says and a plan does not model, as sentences
    std::string resolved_json;             ///< the scenario after extends and overrides
};

}  // namespace plimsoll
