#include "model/base/sourced.hpp"

#include <array>
#include <utility>

#include "model/base/error.hpp"

namespace plimsoll {

namespace {

constexpr std::array<std::pair<std::string_view, Origin>, 5> source_beginnings{{
    {"measured here:", Origin::measured_here},
    {"measured:", Origin::measured_elsewhere},
    {"fitted:", Origin::fitted},
    {"datasheet:", Origin::datasheet},
    {"estimated:", Origin::estimated},
}};

}  // namespace

std::string_view to_string(Origin origin) {
    switch (origin) {
        case Origin::measured_here:
            return "measured here";
        case Origin::measured_elsewhere:
            return "measured elsewhere";
        case Origin::fitted:
            return "fitted";
        case Origin::datasheet:
            return "datasheet";
        case Origin::estimated:
            return "estimated";
        case Origin::extrapolated:
            return "extrapolated";
    }
    PLIMSOLL_ASSERT(false && "an Origin outside its enumeration");
}

Origin origin_of(std::string_view source, const std::string& place) {
    for (const auto& [beginning, origin] : source_beginnings) {
        if (source.substr(0, beginning.size()) != beginning) continue;
        if (source.find_first_not_of(" \t\r\n", beginning.size()) == std::string_view::npos)
            throw InputError(place, "the source says nothing after '" + std::string(beginning) + "'");
        return origin;
    }
    std::string known;
    for (const auto& entry : source_beginnings) known += (known.empty() ? "'" : ", '") + std::string(entry.first) + "'";
    throw InputError(place,
                     "the source " + in_quotes(source) + " does not say its origin; it begins with one of " + known);
}

}  // namespace plimsoll
