#include "model/cost/parallelism.hpp"

namespace plimsoll {
namespace {

/// Megatron-style split: each block's first matrix by columns, its second by rows, so that each block ends in one
/// all-reduce of [tokens, hidden] (Shoeybi et al., arXiv 1909.08053, section 3); vocabulary rows are split too. Ranks
/// that see all tokens add up their experts' outputs in that same all-reduce (vLLM without data-parallel attention,
/// SGLang --moe-a2a-backend none).
void add_messages(const Architecture& architecture, const StepShape& shape, const Split& split, Storage storage,
                  std::vector<Operator>& operators) {
    const StepShape own = part_of(shape, split.attention_data);
    const double row = architecture.model().hidden * storage.activation_bytes();
    const double layers = architecture.layers_per_stage(split);
    const auto all_reduce = [&](int ranks, double count) {
        if (ranks == 1) return;
        Operator op{.name = "all_reduce", .document_name = "all_reduce", .kind = OperatorKind::all_reduce};
        op.follows = Follows::own_tokens;
        op.ranks = ranks;
        op.work.message = Bytes(own.tokens() * row);
        op.count = count;
        operators.push_back(op);
    };
    const double dispatched = split.dispatches() ? architecture.expert_layers_per_stage(split) : 0.0;
    const double reduced = split.attention_data == 1 ? layers - dispatched : 0.0;
    all_reduce(split.attention_ranks(), layers + reduced + 1.0 / split.pipeline);  // and one after the embedding
    if (split.attention_ranks() == 1) return;

    Operator op{.name = "all_gather", .document_name = "all_gather", .kind = OperatorKind::all_gather};
    op.follows = Follows::own_rows;
    op.ranks = split.attention_ranks();
    op.work.message = Bytes(own.rows() * architecture.model().vocabulary * storage.activation_bytes() / op.ranks);
    op.count = 1.0 / split.pipeline;
    operators.push_back(op);
}

}  // namespace

void register_tensor(Registry<ParallelismKind>& registry) {
    registry.add("tensor", {.degree = [](const Split& split) { return split.tensor; },
                            .split = [](int degree) { return Split{.tensor = degree}; },
                            .add_messages = add_messages});
}

}  // namespace plimsoll
