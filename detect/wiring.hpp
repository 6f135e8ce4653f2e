#pragma once
#include <vector>

#include "detect/machine.hpp"
#include "model/spec/node.hpp"

namespace plimsoll {

/// How the GPUs of a machine are joined, as node descriptions say it.
struct Wiring {
    std::vector<std::vector<int>> sockets;   ///< those with GPUs
    std::vector<std::vector<int>> switches;  ///< PCIe switches with several GPUs
    bool sockets_shown = true;               ///< false: the outputs do not tell, all GPUs stand on one
    NvlinkKind nvlink = NvlinkKind::none;
    int links_per_gpu = 0;  ///< into NVLink switches
    std::vector<Node::Pair> pairs;
};

/// `modules`: the GPUs are modules on a board (SXM), which are joined in twos by a switch rather than by a bridge.
[[nodiscard]] Wiring wiring_of(const Machine& machine, bool modules);

}  // namespace plimsoll
