#pragma once
#include <vector>

#include "cli/document.hpp"
#include "model/spec/profile.hpp"

namespace plimsoll {

/// A profile for people and machines: what was measured, each kernel's constants with their errors and ranges, how far
/// measurements lie from the fits (drawn), and where more points are needed.
[[nodiscard]] std::vector<Item> profile_items(const Profile& profile);

}  // namespace plimsoll
