#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "calibrate/fit_report.hpp"

namespace plimsoll {

/// How the fits of one kind of table are judged: which rows, and which of them are fitted.
struct AccuracyRule {
    std::string file;
    std::vector<std::string> conditions;
    std::vector<std::string> trains;  ///< as --train takes them, or ranks=COUNT as --train-per does
    std::size_t fewest = 100;         ///< rows of a group that is judged
};
/// Sizes that serving meets, by kind of table: weights of 1024 and more, prompts of 128 tokens and more on 8 heads and
/// more, contexts of 256 tokens and more on groups that the fast kernels take.
[[nodiscard]] const std::vector<AccuracyRule>& accuracy_rules();

/// One group under one rule: errors on rows not fitted, means over seeds.
struct GroupAccuracy {
    KernelGroup group;
    std::string train;
    std::size_t rows = 0, train_rows = 0;
    TestErrors mean;
    double worst_mape = 0;  ///< of the seeds
};

/// All groups of a table under one rule, with seeds 1 .. `seeds`, and the rows of all of them together.
struct TableAccuracy {
    std::vector<GroupAccuracy> groups;
    std::vector<GroupAccuracy> pooled;  ///< by operator and rule; collectives within a host and between hosts apart
};
/// Why a group of the published measurements fits worse than its kind, where that is known; else empty.
[[nodiscard]] std::string_view known_cause(const KernelGroup& group);
/// Fits every group of GPUs that the catalog knows; the rest of the table is passed over.
[[nodiscard]] TableAccuracy judge_table(const Csv& csv, const AccuracyRule& rule, std::uint64_t seeds, Catalog& catalog,
                                        std::uint32_t threads);

}  // namespace plimsoll
