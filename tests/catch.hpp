#pragma once
/// Catch2 in either major version: Debian 12 has v2, Ubuntu 24.04 has v3. Tests include only this and write `Approx`
/// and `ContainsSubstring` without a namespace.
#if __has_include(<catch2/catch_test_macros.hpp>)
#include <catch2/catch_approx.hpp>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators_all.hpp>
#include <catch2/matchers/catch_matchers_all.hpp>
using Catch::Approx;
using Catch::Matchers::ContainsSubstring;
#else
#include <string>

#include <catch2/catch.hpp>
// The name that v3 gave it.
inline auto ContainsSubstring(const std::string& text) {  // NOLINT(readability-identifier-naming)
    return Catch::Matchers::Contains(text);
}
#endif
