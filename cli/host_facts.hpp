#pragma once
#include <string>

#include "calibrate/host/instruction_sets.hpp"
#include "calibrate/processor_entries.hpp"

namespace plimsoll {

/// The processor that this program runs on, as the system describes it; a name made of its model and the threads.
[[nodiscard]] ProcessorFacts processor_facts(int threads, const InstructionSet& instructions);
/// What else measurements depend on: system, compiler, instruction sets, clock governor, power limit, ECC, load.
[[nodiscard]] DeviceFacts host_facts(const InstructionSet& instructions);
/// "avx2 (AVX2, FMA)".
[[nodiscard]] std::string text_of(const InstructionSet& instructions);
/// Today, "2026-01-31".
[[nodiscard]] std::string date_today();

}  // namespace plimsoll
