#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "calibrate/fit.hpp"
#include "calibrate/fit_split.hpp"

namespace plimsoll {

/// Errors on rows that a fit had not seen, and how often its nominal intervals held them.
struct TestErrors {
    std::size_t n = 0;
    double mape = 0, median_ape = 0, p90_ape = 0;
    double bias = 0;  ///< mean of predicted / measured - 1
    double coverage50 = 0, coverage80 = 0, coverage90 = 0;
};

/// One group: what was fitted and how well it does.
struct GroupReport {
    GroupFit fit;
    std::size_t train_rows = 0;
    TestErrors test;
};

/// Kernels of one class over all groups.
struct OperatorReport {
    std::string kernel;
    TestErrors test;  ///< all groups' rows together
};

/// Everything that a fit of tables gives.
struct FitReport {
    std::vector<GroupReport> groups;
    std::vector<OperatorReport> operators;
    std::vector<std::string> left_out;  ///< groups with too few rows to fit, and why
};

/// Splits the rows, fits each group and judges it by its other rows. Groups with fewer than `fewest_rows` to fit
/// are left out. The report does not depend on the number of threads.
[[nodiscard]] FitReport fit_and_judge(const std::vector<KernelRow>& rows, const SplitRule& rule, std::uint64_t seed,
                                      const FitOptions& options, Catalog& catalog, std::uint32_t threads = 1);

}  // namespace plimsoll
