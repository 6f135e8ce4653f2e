#pragma once
#include <string>

#include "model/spec/profile.hpp"

namespace plimsoll {

/// The profile as JSON text that `read_profile` gives back exactly. Throws InputError at `place` for a number that is
/// not finite, with the kernel and the field that it stands in.
[[nodiscard]] std::string profile_json(const Profile& profile, const std::string& place);

}  // namespace plimsoll
