#include "model/cost/parallelism.hpp"

namespace plimsoll {

/// Whole copies of the model side by side, each with its own requests: nothing is divided and nothing is sent.
void register_data(Registry<ParallelismKind>& registry) {
    registry.add("data", {.degree = [](const Split& split) { return split.data; },
                          .split = [](int degree) { return Split{.data = degree}; },
                          .add_messages = [](const Architecture&, const StepShape&, const Split&, Storage,
                                             std::vector<Operator>&) {}});
}

}  // namespace plimsoll
