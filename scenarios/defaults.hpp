#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "model/base/fields.hpp"

namespace plimsoll {

/// What holds where a scenario is silent. `json` is empty where silence leaves the choice to the planner.
struct ScenarioDefault {
    std::string_view path;    ///< dotted, e.g. "cost.pue"
    std::string_view json;    ///< the value as it would stand in the file
    std::string_view reason;  ///< where the number comes from, or what the choice is
};

/// All of them: the one place for such values.
[[nodiscard]] const std::vector<ScenarioDefault>& scenario_defaults();

/// Whether the field is there and not null; null takes back what `extends` gave.
[[nodiscard]] bool given(const Fields& fields, std::string_view key);

/// The object at a key, or one without fields where it is absent or null.
[[nodiscard]] Fields object_or_empty(const Fields& fields, std::string_view key);

/// Hands out defaults and keeps a sentence on each that was taken.
class Assumptions {
  public:
    /// The object to read the last step of `path` from: `fields` where it gives it, else one that holds the default.
    [[nodiscard]] Fields source(const Fields& fields, std::string_view path);
    /// Notes that the planner chooses, when the field is absent; returns whether it is given.
    bool given_or_free(const Fields& fields, std::string_view path);
    void note(std::string sentence) { sentences_.push_back(std::move(sentence)); }
    [[nodiscard]] const std::vector<std::string>& sentences() const { return sentences_; }

  private:
    std::vector<std::string> sentences_;
};

}  // namespace plimsoll
