#pragma once
#include "model/spec/catalog.hpp"
#include "model/spec/scenario.hpp"
#include "scenarios/defaults.hpp"

/// The readers of the parts of a scenario; all throw InputError with file and JSON pointer.
namespace plimsoll {

/// The fields `workload`, `prompt_tokens` and `output_tokens` of a scenario or a class; where there are none,
/// `fallback`.
[[nodiscard]] Workload read_lengths(const Fields& scenario, Catalog& catalog,
                                    const std::optional<Workload>& fallback = std::nullopt);
/// A law of whole numbers such as a length, as a number or a text.
[[nodiscard]] Distribution read_tokens(const Fields& fields, std::string_view key);

/// The object `slo`: at least one term, none of which makes another pointless.
[[nodiscard]] Slo read_slo(const Fields& slo);

/// The object `cost`.
[[nodiscard]] CostTerms read_cost(const Fields& cost, Assumptions& assumptions);

/// The object `speculation`.
[[nodiscard]] Speculation read_speculation(const Fields& speculation, Catalog& catalog);

/// One entry of `measured`.
[[nodiscard]] MeasuredValue read_measured(const Fields& entry, Catalog& catalog);

}  // namespace plimsoll
