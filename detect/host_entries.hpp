#pragma once
#include <string>

#include "detect/describe.hpp"

namespace plimsoll {

/// The link between the sockets of processors of this generation.
[[nodiscard]] std::string socket_link(const DetectedCpu& cpu);
/// A machine without GPUs: its processors as an entry of the GPUs, and a node of them.
void describe_host(const Machine& machine, Catalog& catalog, const std::string& origin, Description& result);

}  // namespace plimsoll
