#pragma once
#include <functional>
#include <string>

#include "model/cost/kernel_form.hpp"

namespace plimsoll {

/// One row of a table of kernels: positive numbers and texts by column.
struct TableCells {
    std::function<double(const std::string& column)> number;
    std::function<std::string(const std::string& column)> text;
    std::string place;
};

/// Operators of rows of measured kernels; `dtype` is a word of the tables ("bf16", "fp8_block", "int4_wo", ...). Throw
/// InputError at the row's place for an unknown type or sizes that contradict each other.
[[nodiscard]] Operator gemm_row(const TableCells& cells);
[[nodiscard]] Operator attention_row(const TableCells& cells);
/// Of any collective that has a form: its name stands in the column `collective`, its bytes are the buffer of a rank.
[[nodiscard]] Operator collective_row(const TableCells& cells);
[[nodiscard]] Operator all_reduce_row(const TableCells& cells);
[[nodiscard]] Operator moe_row(const TableCells& cells);
/// Norms, activations and their like over [m tokens, n numbers]; `bytes`: read and written in all.
[[nodiscard]] Operator elementwise_row(const TableCells& cells);

}  // namespace plimsoll
