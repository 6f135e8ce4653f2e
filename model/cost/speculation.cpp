#include "model/cost/speculation.hpp"

#include <algorithm>

namespace plimsoll {
namespace {

/// A further token costs a pass over one module, however many there are (vLLM and SGLang use the first again and
/// again).
Transformer prediction_module(const Transformer& model) {
    Transformer module = model;
    module.layers = 1;
    module.groups = {model.groups.back()};
    module.groups.back().layers = 1;
    module.prediction_layers = 0;
    module.joins_hidden_state = true;
    return module;
}

/// The draft on the ranks of its target. A draft model keeps the dtype that it is published in; kernels that were
/// chosen for the dtype of the target do not speak for another one.
Deployment deployment_of(const Deployment& target, const Transformer& draft) {
    Deployment d = target;
    const Transformer* own = target.speculation->draft;
    d.speculation.reset();
    d.model = &draft;
    if (!draft.has_experts()) d.expert_parallel = 1;
    if (own == nullptr || own->native_dtype == target.weights) return d;
    d.measured = nullptr;
    d.weights = own->native_dtype == Dtype::bf16 && !d.gpu->supports(Dtype::bf16) ? Dtype::fp16 : own->native_dtype;
    return d;
}

}  // namespace

Draft::Draft(const Deployment& target)
    : model_(target.speculation->draft != nullptr ? *target.speculation->draft : prediction_module(*target.model)),
      architecture_(model_),
      deployment_(deployment_of(target, model_)),
      modules_(target.speculation->draft != nullptr ? 1 : target.model->prediction_layers) {}

Bytes Draft::weight_bytes_per_rank() const {
    return architecture_.weight_bytes_per_rank(split_of(deployment_), deployment_.weights) * modules_;
}

Bytes Draft::kv_bytes_per_token_per_rank() const {
    return architecture_.kv_bytes_per_token_per_rank(split_of(deployment_), deployment_.kv);
}

std::shared_ptr<const Draft> draft_of(const Deployment& deployment) {
    if (!deployment.speculation || deployment.speculation->tokens == 0) return nullptr;
    return std::make_shared<const Draft>(deployment);
}

std::optional<std::string> speculation_refusal(const Deployment& d) {
    if (!d.speculation) return std::nullopt;
    const Transformer* own = d.speculation->draft;
    if (d.engine->scheduling == Scheduling::static_batch)
        return d.engine->name + " runs batches to their end; speculation is known with continuous batching";
    if (d.pipeline_parallel > 1) return "speculation is known without a pipeline";
    if (own == nullptr && d.model->prediction_layers == 0)
        return d.model->name + " has no modules that predict further tokens; a draft model may speculate for it";
    if (own == nullptr) return std::nullopt;
    if (d.attention_data_parallel > 1 || d.context_parallel > 1)
        return "a draft model is known where its ranks divide heads alone";
    const Draft draft(d);
    if (const auto why = draft.architecture().refusal(split_of(draft.deployment())))
        return "the draft model " + own->name + ": " + *why;
    const Dtype weights = draft.deployment().weights;
    if (!d.gpu->supports(arithmetic_dtype(weights)))
        return "the draft model " + own->name + " is published in " + std::string(to_string(weights)) + ", which " +
               d.gpu->name + " does not compute in";
    return std::nullopt;
}

}  // namespace plimsoll
