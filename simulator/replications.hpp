#pragma once
#include <cstdint>
#include <type_traits>
#include <vector>

#include "model/base/parallel.hpp"
#include "simulator/load_plan.hpp"

namespace plimsoll {

/// The results of run(0) .. run(count - 1) in that order, the same whatever the number of threads, as long as a run
/// depends on nothing but its index. The result is default constructible.
template <class Run>
[[nodiscard]] auto replicate(std::uint32_t count, std::uint32_t threads, Run run) {
    std::vector<std::invoke_result_t<Run, std::uint32_t>> results(count);
    in_parallel(count, threads, [&](std::uint32_t index) { results[index] = run(index); });
    return results;
}

/// The seed of one replication. Runs that are to be compared take the same ones.
[[nodiscard]] inline std::uint64_t replication_seed(std::uint64_t seed, std::uint32_t index) {
    return derived_seed(seed, "replication", index);
}

}  // namespace plimsoll
