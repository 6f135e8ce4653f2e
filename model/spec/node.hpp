#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/base/sourced.hpp"
#include "model/base/units.hpp"

namespace plimsoll {

class Fields;

/// A link kind: PCIe of one generation, one NVLink, a socket link, a network adapter.
struct Link {
    std::string name;
    std::vector<std::string> aliases;
    BytesPerSecond raw;                 ///< per direction
    Sourced<BytesPerSecond> effective;  ///< per direction, what a collective library reaches
    Sourced<Seconds> latency;
};

[[nodiscard]] Link read_link(const Fields& fields);

/// Measured or estimated cost of one collective among `ranks` GPUs of a node, as a table or as latency + bandwidth.
struct CollectiveCurve {
    std::string operation;
    int ranks = 0;
    std::string library;
    Origin origin = Origin::estimated;             ///< the weakest behind the times
    Origin bandwidth_origin = Origin::estimated;   ///< of those of large messages
    std::vector<std::pair<Bytes, Seconds>> times;  ///< by rising size; may be empty
    Seconds latency;                               ///< used where `times` is empty
    BytesPerSecond bus_bandwidth;
};

enum class NvlinkKind { none, bridge, mesh, nvswitch };

/// The ways through other nodes are searched set by set of GPUs.
inline constexpr int most_gpus_without_switch = 16;

/// One server: its GPUs, how they are joined, its host. Links are resolved by the catalog.
struct Node {
    std::string name;
    std::vector<std::string> aliases;
    std::string gpu;
    int gpus = 0;
    std::string cpu;
    std::vector<std::vector<int>> sockets;
    std::string socket_link_name;
    std::string pcie_link_name;
    std::vector<std::vector<int>> pcie_switches;
    bool peer_to_peer = true;
    NvlinkKind nvlink = NvlinkKind::none;
    std::string nvlink_link_name;
    struct Pair {
        int first, second, links;
    };
    std::vector<Pair> nvlink_pairs;
    int nvlink_links_per_gpu = 0;
    std::string nic_link_name;
    int nics = 0;
    std::optional<Sourced<Dollars>> host_price;
    Sourced<Watts> host_power;
    Sourced<double> host_speed;
    std::vector<CollectiveCurve> collectives;
    /// Of all-reduces in which each GPU reads the others' memory itself (one or two shots), as engines bring along.
    std::vector<CollectiveCurve> peer_collectives;

    Link pcie, socket_link, nvlink_link, nic;  ///< resolved; default where the name is empty
};

/// Reads a node; link names stay unresolved.
[[nodiscard]] Node read_node(const Fields& fields);

/// Whether a table of measurements that calls the way in which its GPUs are joined `topology` speaks of GPUs joined as
/// this node's: "nvswitch" or "dgx"; "nvlink_mesh" and the number of GPUs; "pairwise_nvlink" or "nvlink_bridge"; "pcie"
/// and the generation.
[[nodiscard]] bool joined_as(const Node& node, std::string_view topology);

}  // namespace plimsoll
