#include "model/cost/parallelism.hpp"

namespace plimsoll {
namespace {

/// Megatron-style split: each block's first matrix by columns, its second by rows, so that each block ends in one
/// all-reduce of [tokens, hidden] (Shoeybi et al., arXiv 1909.08053, section 3); vocabulary rows are split too.
void add_messages(const Architecture& architecture, const StepShape& shape, const Split& split, Storage storage,
                  std::vector<Operator>& operators) {
    const double row = architecture.model().hidden * storage.activation_bytes();
    Operator op{.name = "all_reduce", .document_name = "all_reduce", .kind = OperatorKind::all_reduce};
    op.ranks = split.tensor;
    op.work.message = Bytes(shape.tokens() * row);
    op.count = 2.0 * architecture.layers_per_stage(split) + 1.0 / split.pipeline;  // and one after the embedding
    operators.push_back(op);

    op.name = op.document_name = "all_gather";
    op.kind = OperatorKind::all_gather;
    op.by_rows = true;
    op.work.message = Bytes(shape.rows() * architecture.model().vocabulary * storage.activation_bytes() / split.tensor);
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
