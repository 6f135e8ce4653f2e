#include "calibrate/host/instruction_sets.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "model/base/error.hpp"

namespace plimsoll {

namespace baseline {
extern const VectorKernels kernels;
}
#ifdef PLIMSOLL_X86_64
namespace avx2 {
extern const VectorKernels kernels;
}
namespace avx512 {
extern const VectorKernels kernels;
}
#endif

namespace {

std::vector<std::string> names_of(std::span<const InstructionSet> sets) {
    std::vector<std::string> names;
    for (const InstructionSet& set : sets) names.emplace_back(set.name);
    return names;
}

}  // namespace

std::span<const InstructionSet> instruction_sets() {
    // What the compiler's support asks includes whether the system saves the wide registers.
    static const std::array sets{
        InstructionSet{"baseline", "", true, &baseline::kernels},
#ifdef PLIMSOLL_X86_64
        InstructionSet{"avx2", "AVX2, FMA", __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"),
                       &avx2::kernels},
        InstructionSet{"avx512", "AVX-512 F, DQ, BW, VL, FMA",
                       __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
                           __builtin_cpu_supports("fma"),
                       &avx512::kernels},
#endif
    };
    return sets;
}

const InstructionSet& instruction_set(std::string_view name, const std::string& place,
                                      std::span<const InstructionSet> sets) {
    if (name.empty())
        return *std::find_if(sets.rbegin(), sets.rend(), [](const InstructionSet& set) { return set.available; });
    const auto found = std::find_if(sets.begin(), sets.end(), [&](const auto& set) { return set.name == name; });
    if (found == sets.end()) throw InputError(place, unknown_name("instruction set", name, names_of(sets)));
    if (found->available) return *found;
    std::string message = "this processor has no " + std::string(found->features) + "; it can run:";
    for (const InstructionSet& set : sets)
        if (set.available) message += " " + std::string(set.name);
    throw InputError(place, message);
}

}  // namespace plimsoll
