#pragma once
#include <array>
#include <cstdint>
#include <string_view>

#include "simulator/request.hpp"

namespace plimsoll {

/// Outcomes as files and reports name them.
inline constexpr std::array<std::string_view, 4> outcome_names{"ok", "refused", "timed-out", "lost"};

/// Requests that ended without an answer, by what became of them.
struct Unanswered {
    std::uint64_t refused = 0, timed_out = 0, lost = 0;

    [[nodiscard]] std::uint64_t all() const { return refused + timed_out + lost; }
    void count(Request::Outcome outcome) {
        refused += outcome == Request::Outcome::refused ? 1 : 0;
        timed_out += outcome == Request::Outcome::timed_out ? 1 : 0;
        lost += outcome == Request::Outcome::lost ? 1 : 0;
    }
    Unanswered& operator+=(const Unanswered& other) {
        refused += other.refused;
        timed_out += other.timed_out;
        lost += other.lost;
        return *this;
    }
};

}  // namespace plimsoll
