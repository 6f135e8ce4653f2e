#include "model/cost/split.hpp"

#include <algorithm>

#include "model/spec/deployment.hpp"

namespace plimsoll {

Split split_of(const Deployment& d) {
    return {.tensor = d.tensor_parallel,
            .expert = d.expert_parallel,
            .attention_data = d.attention_data_parallel,
            .context = d.context_parallel,
            .pipeline = d.pipeline_parallel,
            .hosts = d.hosts_per_instance,
            .all_to_all = d.engine != nullptr && d.engine->expert_dispatch == ExpertDispatch::all_to_all};
}

int batch_tokens(const Engine& engine) {
    return engine.scheduling == Scheduling::chunked ? engine.max_step_tokens : engine.max_prefill_tokens;
}

int step_tokens(const Deployment& d) {
    return batch_tokens(*d.engine) * d.pipeline_parallel;
}

std::optional<std::string> division_refusal(const Split& split) {
    const std::string ranks = std::to_string(split.tensor) + " ranks";
    if (split.tensor % split.attention_data != 0)
        return std::to_string(split.attention_data) + " attention groups do not divide " + ranks;
    if (split.tensor % split.expert != 0) return std::to_string(split.expert) + " expert ranks do not divide " + ranks;
    if (split.pipeline % split.hosts != 0)
        return std::to_string(split.hosts) + " hosts do not divide " + std::to_string(split.pipeline) +
               (split.pipeline == 1 ? " pipeline stage" : " pipeline stages");
    return std::nullopt;
}

std::optional<std::string> engine_refusal(const Deployment& d) {
    const auto& vendors = d.engine->vendors;
    if (!vendors.empty() && std::find(vendors.begin(), vendors.end(), d.gpu->vendor) == vendors.end())
        return d.engine->name + " does not run on GPUs of " + d.gpu->vendor;
    const Layouts& layouts = d.engine->layouts;
    const auto refuse = [&](const char* what) { return d.engine->name + " does not divide " + what; };
    if (d.expert_parallel > 1 && !layouts.expert) return refuse("experts over ranks");
    if (d.attention_data_parallel > 1 && !layouts.attention_data) return refuse("requests over attention groups");
    if (d.context_parallel > 1 && !layouts.context) return refuse("contexts over ranks");
    if (d.hosts_per_instance > 1 && !layouts.hosts) return refuse("an instance over hosts");
    return std::nullopt;
}

std::optional<std::string> adapter_refusal(const Deployment& d) {
    if (d.hosts_per_instance == 1 || d.node->nics > 0) return std::nullopt;
    return d.node->name + " has no network adapters ('nics') to other hosts";
}

std::optional<std::string> context_refusal(const Split& split, int copies) {
    if (copies % split.context == 0) return std::nullopt;
    return std::to_string(split.context) + " ranks cannot divide a context: " + std::to_string(copies) + " of " +
           std::to_string(split.attention_ranks()) + " have the same KV heads";
}

std::string split_text(const Deployment& d) {
    std::string text = "TP" + std::to_string(d.tensor_parallel);
    const auto add = [&](const char* name, int degree) {
        if (degree > 1) text += std::string(" ") + name + std::to_string(degree);
    };
    add("EP", d.expert_parallel);
    add("ADP", d.attention_data_parallel);
    add("CP", d.context_parallel);
    add("PP", d.pipeline_parallel);
    if (d.hosts_per_instance > 1) text += " over " + std::to_string(d.hosts_per_instance) + " nodes";
    return text;
}

}  // namespace plimsoll
