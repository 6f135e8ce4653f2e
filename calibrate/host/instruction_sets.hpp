#pragma once
#include <span>
#include <string>
#include <string_view>

#include "calibrate/host/kernels/vector_kernels.hpp"

namespace plimsoll {

/// Instructions that this program has inner loops for.
struct InstructionSet {
    std::string_view name;
    std::string_view features;  ///< of the processor that it uses beyond the baseline
    bool available;             ///< here
    const VectorKernels* kernels;
};

/// All of them, each wider than the one before; the first, "baseline", runs wherever this program does.
[[nodiscard]] std::span<const InstructionSet> instruction_sets();

/// The one of this name among them, or of none the widest available one. Throws InputError at `place` for one that is
/// not known or not available.
[[nodiscard]] const InstructionSet& instruction_set(std::string_view name, const std::string& place,
                                                    std::span<const InstructionSet> sets = instruction_sets());

}  // namespace plimsoll
