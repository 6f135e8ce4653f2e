#include "detect/wiring.hpp"

#include <algorithm>
#include <map>
#include <numeric>

namespace plimsoll {
namespace {

/// Most NVLinks that one GPU has (Hopper and Blackwell): more than these to its neighbours together are shared, and
/// only a switch shares them.
constexpr int most_nvlinks = 18;

bool behind_one_bridge(const std::string& relation) {
    return relation.starts_with("PIX") || relation == "PXB";
}

/// GPUs by what joins them, in order of their first.
class Groups {
  public:
    explicit Groups(std::size_t gpus) : leader_(gpus) { std::iota(leader_.begin(), leader_.end(), std::size_t{0}); }
    void join(std::size_t a, std::size_t b) {
        const std::size_t from = std::max(leader_[a], leader_[b]), to = std::min(leader_[a], leader_[b]);
        std::replace(leader_.begin(), leader_.end(), from, to);
    }
    [[nodiscard]] std::vector<std::vector<int>> of_at_least(std::size_t members) const {
        std::map<std::size_t, std::vector<int>> groups;
        for (std::size_t gpu = 0; gpu < leader_.size(); ++gpu) groups[leader_[gpu]].push_back(static_cast<int>(gpu));
        std::vector<std::vector<int>> result;
        for (auto& [leader, group] : groups)
            if (group.size() >= members) result.push_back(std::move(group));
        return result;
    }

  private:
    std::vector<std::size_t> leader_;
};

template <class Joined>
Groups groups_where(std::size_t gpus, const Joined& joined) {
    Groups groups(gpus);
    for (std::size_t a = 0; a < gpus; ++a)
        for (std::size_t b = a + 1; b < gpus; ++b)
            if (joined(a, b)) groups.join(a, b);
    return groups;
}

/// NUMA nodes are numbered socket by socket, several to a socket where the firmware divides it.
void find_sockets(const Machine& machine, const DetectedTopology& topology, Wiring& wiring) {
    const std::size_t gpus = topology.numa.size();
    const DetectedCpu& cpu = machine.cpu;
    const bool known = std::all_of(topology.numa.begin(), topology.numa.end(), [](const auto& numa) { return numa; });
    Groups groups(gpus);
    if (known) {
        groups = groups_where(gpus, [&](std::size_t a, std::size_t b) {
            return *topology.numa[a] * cpu.sockets / cpu.numa_nodes == *topology.numa[b] * cpu.sockets / cpu.numa_nodes;
        });
    } else {
        // NVLinks hide what lies below them.
        bool shown = false;
        groups = groups_where(gpus, [&](std::size_t a, std::size_t b) {
            const bool hidden = topology.nvlinks(a, b) > 0;
            shown = shown || !hidden;
            return !hidden && topology.gpu_to_gpu[a][b] != "SYS" && topology.gpu_to_gpu[a][b] != "SOC";
        });
        wiring.sockets_shown = cpu.sockets == 1 || shown;
    }
    wiring.sockets = groups.of_at_least(1);
    if (static_cast<int>(wiring.sockets.size()) <= cpu.sockets && wiring.sockets_shown) return;
    wiring.sockets_shown = false;
    wiring.sockets = {std::vector<int>(gpus)};
    std::iota(wiring.sockets.front().begin(), wiring.sockets.front().end(), 0);
}

void find_switches(const DetectedTopology& topology, Wiring& wiring) {
    const auto& nics = topology.gpu_to_nic;
    wiring.switches = groups_where(topology.numa.size(), [&](std::size_t a, std::size_t b) {
                          if (behind_one_bridge(topology.gpu_to_gpu[a][b])) return true;
                          for (std::size_t nic = 0; nic < nics[a].size(); ++nic)
                              if (behind_one_bridge(nics[a][nic]) && behind_one_bridge(nics[b][nic])) return true;
                          return false;
                      }).of_at_least(2);
}

void find_nvlinks(const DetectedTopology& topology, bool modules, Wiring& wiring) {
    const std::size_t gpus = topology.numa.size();
    bool alike = true;
    std::vector<int> neighbours(gpus, 0);
    for (std::size_t a = 0; a < gpus; ++a) {
        for (std::size_t b = a + 1; b < gpus; ++b) {
            const int links = topology.nvlinks(a, b);
            alike = alike && links > 0 && links == topology.nvlinks(0, 1);
            if (links == 0) continue;
            wiring.pairs.push_back({static_cast<int>(a), static_cast<int>(b), links});
            ++neighbours[a], ++neighbours[b];
        }
    }
    if (wiring.pairs.empty()) return;
    const int links = wiring.pairs.front().links;
    if (alike && (links * (static_cast<int>(gpus) - 1) > most_nvlinks || (gpus == 2 && modules))) {
        wiring.nvlink = NvlinkKind::nvswitch;
        wiring.links_per_gpu = links;
        wiring.pairs.clear();
        return;
    }
    const bool in_twos = *std::max_element(neighbours.begin(), neighbours.end()) == 1;
    wiring.nvlink = in_twos ? NvlinkKind::bridge : NvlinkKind::mesh;
}

}  // namespace

Wiring wiring_of(const Machine& machine, bool modules) {
    Wiring wiring;
    if (!machine.topology) {
        wiring.sockets = {{0}};
        return wiring;
    }
    find_sockets(machine, *machine.topology, wiring);
    find_switches(*machine.topology, wiring);
    find_nvlinks(*machine.topology, modules, wiring);
    return wiring;
}

}  // namespace plimsoll
