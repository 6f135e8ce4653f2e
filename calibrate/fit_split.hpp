#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "calibrate/kernel_table.hpp"

namespace plimsoll {

/// Which rows of each group are fitted; the others judge the fit.
struct SplitRule {
    std::optional<double> share;       ///< of the rows, drawn at random
    std::optional<std::size_t> count;  ///< of rows, drawn at random
    bool designed = false;             ///< `count` rows spread over the sizes instead of drawn
    std::string per;                   ///< column of which each value gets `count` spread rows ("ranks")
};
/// "0.3", "30", "designed:60"; throws InputError at --train for anything else.
[[nodiscard]] SplitRule parse_train(const std::string& text);
/// "ranks=6"; throws InputError at --train-per for anything else.
[[nodiscard]] SplitRule parse_train_per(const std::string& text);

/// Rows to fit and rows to judge by, disjoint, in the table's order; the same for the same rows, rule and seed.
struct RowSplit {
    std::vector<KernelRow> train, test;
};
[[nodiscard]] RowSplit split_rows(const std::vector<KernelRow>& rows, const SplitRule& rule, std::uint64_t seed);

}  // namespace plimsoll
