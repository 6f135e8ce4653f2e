#pragma once
#include <string>
#include <vector>

#include "model/cost/work.hpp"
#include "model/spec/deployment.hpp"

namespace plimsoll {

class KernelTimes;

/// Sizes of operators that lie outside those measured, "gemm n = 57344 (measured to 32768)"; one a size and kind.
[[nodiscard]] std::vector<std::string> beyond_measured(const Deployment& deployment,
                                                       const std::vector<Operator>& operators);

/// How many factors of two sizes are beyond what was measured of that kind: of each operator the one farthest outside,
/// 0 within, mean over the time that they take. A small product far outside leaves the large ones as sure as they are.
[[nodiscard]] double octaves_beyond_measured(const Deployment& deployment, OperatorKind kind,
                                             const std::vector<Operator>& operators, const KernelTimes& kernels);

}  // namespace plimsoll
