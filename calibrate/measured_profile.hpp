#pragma once
#include <span>
#include <string>
#include <vector>

#include "calibrate/runner.hpp"
#include "calibrate/sample_table.hpp"
#include "model/spec/catalog.hpp"
#include "model/spec/profile.hpp"

namespace plimsoll {

/// A profile made of one's own samples.
struct MeasuredProfile {
    Profile profile;                    ///< without kernels where nothing could be fitted
    std::vector<std::string> left_out;  ///< groups and rows that were not fitted, with the reason
};

/// Fits every group of products, attention, experts, elementwise kernels and all-reduces among the samples that were
/// not timed out, on a GPU of the catalog. The standard errors of the constants contain how far fits of single rounds
/// lie apart and how far runs may, so that they hold for another run on the same machine too. Name, date and
/// environment of the profile are the caller's.
[[nodiscard]] MeasuredProfile fit_samples(std::span<const Measured> samples, const SampleLabels& labels,
                                          Catalog& catalog);

}  // namespace plimsoll
