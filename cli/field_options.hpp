#pragma once
#include <string>
#include <vector>

#include "cli/command.hpp"

namespace plimsoll {

/// How an option's value becomes the JSON value of a field.
enum class Form {
    text,      ///< a string
    number,    ///< a number as typed
    texts,     ///< a list of strings
    numbers,   ///< a list of numbers as typed
    flag,      ///< true
    members,   ///< "key=value,...": an object of strings, or of numbers as typed where they look like ones
    promise,   ///< the time of a term of the SLO; --statistic completes its name
    statistic  ///< no field of its own
};

/// An option that stands for a field of a scenario.
struct FieldOption {
    Option option;
    std::string field;
    Form form;
};

/// Those of `simulate` alone.
[[nodiscard]] const std::vector<FieldOption>& simulation_field_options();

}  // namespace plimsoll
