#include "model/cost/parallelism.hpp"

namespace plimsoll {
namespace {

/// Experts lie on different ranks. Where tokens are sent to them, each token goes once to every rank that has one of
/// its experts (`dispatch`) and as many partial sums come back (`combine`): DeepEP sends 8-bit tokens with a scale for
/// each 128 values where the experts multiply in 8 bits, and takes 16-bit ones back (deepseek-ai/DeepEP README). The
/// slowest rank is the one whose experts are chosen most. Where every rank sees all tokens, experts add no message.
void add_messages(const Architecture& architecture, const StepShape& shape, const Split& split, Storage storage,
                  std::vector<Operator>& operators) {
    if (!split.dispatches()) return;
    const double hidden = architecture.model().hidden, layers = architecture.expert_layers_per_stage(split);
    const double copies = architecture.received_copies(shape.tokens(), split) / layers;
    const auto add = [&](std::string_view name, double bytes) {
        Operator op{.name = name, .document_name = name, .kind = OperatorKind::all_to_all};
        op.ranks = split.expert;
        op.work.message = Bytes(copies * hidden * bytes);
        op.count = layers;
        operators.push_back(op);
    };
    constexpr double with_scale = 1.0 + 4.0 / 128.0;
    add("expert_dispatch", facts_of(storage.weights).eight_bit ? with_scale : storage.activation_bytes());
    add("expert_combine", storage.activation_bytes());
}

}  // namespace

void register_expert(Registry<ParallelismKind>& registry) {
    registry.add("expert",
                 {.degree = [](const Split& split) { return split.expert; },
                  .split = [](int degree) { return Split{.tensor = degree, .expert = degree, .all_to_all = true}; },
                  .add_messages = add_messages});
}

}  // namespace plimsoll
