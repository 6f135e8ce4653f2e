#include "model/cost/parallelism.hpp"

namespace plimsoll {

void step_operators(const Architecture& architecture, const StepShape& shape, Split split, Storage storage,
                    std::vector<Operator>& operators) {
    architecture.operators(shape, split, storage, operators);
    for (const auto& [name, kind] : parallelism_kinds())
        if (kind.degree(split) > 1) kind.add_messages(architecture, shape, split, storage, operators);
}

}  // namespace plimsoll
