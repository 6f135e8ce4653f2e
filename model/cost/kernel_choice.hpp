#pragma once
#include <string>
#include <vector>

#include "model/cost/collective.hpp"
#include "model/cost/work.hpp"
#include "model/spec/catalog.hpp"
#include "model/spec/deployment.hpp"

namespace plimsoll {

/// Gives a deployment, whose other parts are set, the constants of its GPU's class and the measured kernels that stand
/// before them: of its GPU, or of the class's other GPUs with the peaks scaled; made here before elsewhere; of a
/// library that the engine calls, in its order, before others; of the very types before 16-bit ones of the other
/// format. Throws InputError for a profile whose kernel names a form or constants that do not exist.
void set_kernels(Deployment& deployment, Catalog& catalog, const ProfileChoice& choice);

/// "vllm-0.14.0 on a100-80gb-sxm, measured elsewhere: ...", or "class ampere-hbm, fitted".
[[nodiscard]] std::string kernel_source(const Deployment& deployment, OperatorKind kind);
/// The weakest of what a deployment knows of its kernels of that kind.
[[nodiscard]] Origin kernel_origin(const Deployment& deployment, OperatorKind kind);

/// What the messages of a deployment's tensor ranks stand on, and the same in words: "nccl-2.27.3 on a100-80gb-sxm,
/// measured elsewhere: ...", "NCCL on node a40-48gb-pcie-8, bandwidth measured elsewhere, latency estimated" or "links
/// of node ..., estimated".
[[nodiscard]] CollectiveBasis collective_basis(const Deployment& deployment);
[[nodiscard]] std::string collective_source(const Deployment& deployment);

/// The same in words of what is sent to experts on other ranks and back.
[[nodiscard]] std::string exchange_source(const Deployment& deployment);

/// The same of the products of a mixture's experts.
[[nodiscard]] std::string experts_source(const Deployment& deployment);
[[nodiscard]] Origin experts_origin(const Deployment& deployment);

/// The measured kernel that stands for an operator; null: those of its class do.
[[nodiscard]] const MeasuredKernel* measured_for(const Deployment& deployment, const Operator& op);

}  // namespace plimsoll
