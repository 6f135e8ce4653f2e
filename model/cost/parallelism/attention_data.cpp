#include "model/cost/parallelism.hpp"

namespace plimsoll {
namespace {

/// Groups of ranks take the attention of requests of their own, with all of its weights and the KV cache of these
/// requests only; the FFN is divided over all ranks and sees all tokens (SGLang --enable-dp-attention, vLLM
/// --data-parallel-size with experts). Before an FFN the tokens of all groups are gathered, after it their partial sums
/// are scattered, each rank a part, and gathered within its group (vLLM all2all.py, AgRsAll2AllManager; SGLang
/// layers/dp_attention.py), unless tokens are sent to their experts. Groups step together: the fullest counts.
void add_messages(const Architecture& architecture, const StepShape& shape, const Split& split, Storage storage,
                  std::vector<Operator>& operators) {
    const double dispatched = split.dispatches() ? architecture.expert_layers_per_stage(split) : 0.0;
    const double layers = architecture.layers_per_stage(split) - dispatched;
    if (layers <= 0) return;
    const double row = architecture.model().hidden * storage.activation_bytes();
    const auto add = [&](std::string_view name, OperatorKind kind, int ranks) {
        if (ranks == 1) return;
        Operator op{.name = name, .document_name = name, .kind = kind};
        op.ranks = ranks;
        op.work.message = Bytes(shape.tokens() / split.tensor * row);
        op.count = layers;
        operators.push_back(op);
    };
    add("token_gather", OperatorKind::all_gather, split.tensor);
    add("sum_scatter", OperatorKind::reduce_scatter, split.tensor);
    add("sum_gather", OperatorKind::all_gather, split.attention_ranks());
}

}  // namespace

void register_attention_data(Registry<ParallelismKind>& registry) {
    registry.add("attention_data",
                 {.degree = [](const Split& split) { return split.attention_data; },
                  .split = [](int degree) { return Split{.tensor = degree, .attention_data = degree}; },
                  .add_messages = add_messages});
}

}  // namespace plimsoll
