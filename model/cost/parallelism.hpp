#pragma once
#include "model/cost/architecture.hpp"

namespace plimsoll {

/// A way of splitting work over GPUs, as one file of model/cost/parallelism registers it: which messages it adds.
/// What it divides follows from `Split`, which the architecture and its blocks read.
struct ParallelismKind {
    /// The degree of this kind in a split.
    int (*degree)(const Split& split) = nullptr;
    /// The split that is this kind alone at a degree.
    Split (*split)(int degree) = nullptr;
    /// Appends the messages of one step on one rank of one pipeline stage.
    void (*add_messages)(const Architecture& architecture, const StepShape& shape, const Split& split, Storage storage,
                         std::vector<Operator>& operators) = nullptr;
};

/// All kinds, by file name.
[[nodiscard]] const Registry<ParallelismKind>& parallelism_kinds();

/// The operators of a step with the messages of every kind of parallelism.
void step_operators(const Architecture& architecture, const StepShape& shape, Split split, Storage storage,
                    std::vector<Operator>& operators);

}  // namespace plimsoll
