#include "model/cost/parallelism.hpp"

namespace plimsoll {
namespace {

/// Layers in consecutive stages: every stage passes the residual stream of the step on, split over its tensor ranks.
void add_messages(const Architecture& architecture, const StepShape& shape, const Split& split, Storage storage,
                  std::vector<Operator>& operators) {
    Operator op{.name = "send_recv", .document_name = "send_recv", .kind = OperatorKind::send_recv};
    op.ranks = 2;
    op.work.message = Bytes(shape.tokens() * architecture.model().hidden * storage.activation_bytes() / split.tensor);
    op.count = static_cast<double>(split.pipeline - 1) / split.pipeline;  // the last stage has nobody to send to
    operators.push_back(op);
}

}  // namespace

void register_pipeline(Registry<ParallelismKind>& registry) {
    registry.add("pipeline", {.degree = [](const Split& split) { return split.pipeline; },
                              .split = [](int degree) { return Split{.pipeline = degree}; },
                              .add_messages = add_messages});
}

}  // namespace plimsoll
