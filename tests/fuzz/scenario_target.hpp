#pragma once
#include <string>
#include <string_view>

#include "model/base/error.hpp"
#include "scenarios/reader.hpp"

namespace plimsoll {

/// Reads any bytes as a scenario. Only an InputError may come of it; what is read must read back as the same.
/// Returns whether the bytes were a scenario.
inline bool read_any_scenario(std::string_view bytes) {
    static Catalog catalog({PLIMSOLL_SOURCE_DIR});
    std::string resolved;
    try {
        resolved = parse_scenario(bytes, "input", {}, catalog).resolved_json;
    } catch (const InputError&) {
        return false;
    }
    PLIMSOLL_ASSERT(parse_scenario(resolved, "resolved", {}, catalog).resolved_json == resolved);
    return true;
}

}  // namespace plimsoll
