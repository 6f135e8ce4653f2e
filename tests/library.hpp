#pragma once
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

#include "model/cost/architecture.hpp"
#include "model/spec/catalog.hpp"
#include "model/spec/deployment.hpp"

/// What tests of the cost room share: the shipped data, deployments of it, and measurements where there are some.
namespace plimsoll::testing {

/// The data of this repository, read once.
inline Catalog& library() {
    static Catalog catalog({PLIMSOLL_SOURCE_DIR});
    return catalog;
}

inline const Transformer& model(const std::string& name) {
    return library().models.at(name, "test");
}

/// A deployment of shipped entries with the engine's own limit of sequences and one instance.
inline Deployment deployment(const std::string& model_name, const std::string& node_name, int tensor, int pipeline = 1,
                             const std::string& engine = "tgi-lightllm-2023") {
    Deployment result;
    result.node = &library().nodes.at(node_name, "test");
    result.gpu = &library().gpus.at(result.node->gpu, "test");
    result.efficiency = &library().classes.at(result.gpu->efficiency_class, "test");
    result.model = &model(model_name);
    result.engine = &library().engines.at(engine, "test");
    result.tensor_parallel = tensor;
    result.pipeline_parallel = pipeline;
    result.max_sequences = result.engine->max_sequences;
    return result;
}

/// A file of measurements that is no part of the project: below the folder that PLIMSOLL_SHARED names, or `shared`
/// beside the repository.
inline std::optional<std::string> measurements(const std::string& path) {
    const char* named = std::getenv("PLIMSOLL_SHARED");
    const std::filesystem::path folder = named != nullptr ? named : PLIMSOLL_SOURCE_DIR "/../shared";
    const std::filesystem::path file = folder / "data" / path;
    if (!std::filesystem::exists(file)) return std::nullopt;
    return file.string();
}

}  // namespace plimsoll::testing
