#include <cstddef>
#include <cstdint>

#include "tests/fuzz/scenario_target.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    plimsoll::read_any_scenario({reinterpret_cast<const char*>(data), size});
    return 0;
}
