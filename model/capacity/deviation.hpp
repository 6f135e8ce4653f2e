#pragma once
#include "model/capacity/instance_model.hpp"

namespace plimsoll {

/// Relative standard deviation of an instance's times with `running` requests: each constant's relative deviation times
/// the share of the time that it governs, over decode steps and the prefills between them, constants independent
/// (first-order propagation).
[[nodiscard]] double relative_deviation(const InstanceModel& model, double running);

}  // namespace plimsoll
