#include "model/cost/parallelism.hpp"

namespace plimsoll {
namespace {

/// Ranks that would hold copies of the same KV heads keep different tokens of each sequence instead (vLLM
/// --decode-context-parallel-size, docs/serving/context_parallel_deployment.md; SGLang --dcp-size). A decode gathers
/// the queries of these ranks, each attends with all of them to its own tokens, and the partial outputs are weighted by
/// their sums of exponentials (gathered, fp32) and scattered back to the ranks of their heads. A prompt gathers what is
/// cached of its context.
void add_messages(const Architecture& architecture, const StepShape& shape, const Split& split, Storage storage,
                  std::vector<Operator>& operators) {
    const StepShape own = part_of(shape, split.attention_data);
    for (std::size_t group = 0; group < architecture.groups(); ++group) {
        if (own.prefill_tokens > 0) operators.push_back(architecture.gathered_context(group, own, split, storage));
        if (own.decode_sequences <= 0) continue;
        const Operator attention = architecture.decode_attention(group, own, split, storage);
        const double heads = attention.m * attention.heads;  // of all these ranks
        const auto add = [&](std::string_view name, OperatorKind kind, double bytes) {
            Operator op{.name = name, .document_name = name, .kind = kind};
            op.follows = Follows::own_decodes;
            op.ranks = split.context;
            op.work.message = Bytes(bytes);
            op.count = attention.count;
            operators.push_back(op);
        };
        add("query_gather", OperatorKind::all_gather,
            heads / split.context * attention.head_dim * storage.activation_bytes());
        add("partial_sums_gather", OperatorKind::all_gather, heads * 4.0);
        add("partial_scatter", OperatorKind::reduce_scatter,
            heads / split.context * attention.value_dim * storage.activation_bytes());
    }
}

}  // namespace

void register_context(Registry<ParallelismKind>& registry) {
    registry.add("context", {.degree = [](const Split& split) { return split.context; },
                             .split = [](int degree) { return Split{.tensor = degree, .context = degree}; },
                             .add_messages = add_messages});
}

}  // namespace plimsoll
