#include "model/cost/parallelism.hpp"

namespace plimsoll {
namespace {

/// Layers in consecutive stages: every stage passes the residual stream of the step on, split over its tensor ranks.
/// Of several hosts each has as many consecutive stages: its last one sends across.
void add_messages(const Architecture& architecture, const StepShape& shape, const Split& split, Storage storage,
                  std::vector<Operator>& operators) {
    const auto add = [&](std::string_view name, int hosts, int senders) {
        if (senders == 0) return;
        Operator op{.name = name, .document_name = "send_recv", .kind = OperatorKind::send_recv};
        op.ranks = 2;
        op.hosts = hosts;
        op.work.message =
            Bytes(shape.tokens() * architecture.model().hidden * storage.activation_bytes() / split.tensor);
        op.count = static_cast<double>(senders) / split.pipeline;
        operators.push_back(op);
    };
    add("send_recv", 1, split.pipeline - split.hosts);
    add("send_recv_hosts", 2, split.hosts - 1);  // the last stage has nobody to send to
}

}  // namespace

void register_pipeline(Registry<ParallelismKind>& registry) {
    registry.add("pipeline", {.degree = [](const Split& split) { return split.pipeline; },
                              .split = [](int degree) { return Split{.pipeline = degree}; },
                              .add_messages = add_messages});
}

}  // namespace plimsoll
