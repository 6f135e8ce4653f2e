#pragma once
#include <string>
#include <vector>

#include "model/base/csv.hpp"
#include "model/cost/work.hpp"
#include "model/spec/catalog.hpp"

namespace plimsoll {

/// Which measurements belong together: one kernel of one library on one GPU with one pair of types.
struct KernelGroup {
    std::string kernel;  ///< "gemm", "attention_prefill", "attention_decode", "all_reduce", "moe", "elementwise"
    std::string gpu;
    std::string library;  ///< framework or library with its version
    std::string topology;
    std::string dtype, kv_dtype;
    friend bool operator==(const KernelGroup&, const KernelGroup&) = default;
    friend auto operator<=>(const KernelGroup&, const KernelGroup&) = default;
    [[nodiscard]] std::string text() const;
};

/// One measured kernel.
struct KernelRow {
    KernelGroup group;
    Operator op;
    double seconds = 0;
    std::string place;  ///< file:line
    std::string source;
    double stands_for = 1;  ///< rows of the table that a chosen row stands for: what lies nearest to it
    double reach = 1;       ///< distance of other rows from the fitted ones over that of these from each other
    std::string shape;      ///< what stays when the load varies: weights [n, k], heads, rank count
};

/// Measured kernels of a table; rows of one shape and group are merged to their median.
struct KernelTable {
    std::vector<KernelRow> rows;
    std::size_t read = 0;                  ///< rows of the file
    std::size_t duplicates = 0;            ///< rows merged into another of the same shape
    std::vector<std::string> implausible;  ///< rows left out, "file:line: why"
};

/// Reads the columns of a GEMM, attention, all-reduce or mixture-of-experts table (docs/calibrate.md). Throws
/// InputError naming the row for a GPU that the catalog does not know, a size or time that is no positive number, and a
/// group whose times are far from what the GPU could do (other units than seconds).
[[nodiscard]] KernelTable read_kernel_table(const Csv& csv, Catalog& catalog);

}  // namespace plimsoll
