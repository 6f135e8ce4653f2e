#include "calibrate/kernel_table.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <optional>
#include <tuple>

#include <fmt/format.h>

#include "calibrate/kernel_operators.hpp"
#include "model/base/error.hpp"
#include "model/base/units_text.hpp"

namespace plimsoll {
namespace {

/// A kind of table: how it is recognised, which columns make its group, and how a row becomes an operator.
struct TableKind {
    std::string kernel;
    std::vector<std::string> columns;
    Operator (*make)(const TableCells&);
    std::vector<std::string> shape;  ///< columns that stay when the load varies
};

const std::vector<TableKind>& table_kinds() {
    static const std::vector<TableKind> kinds{
        {"moe",
         {"gpu", "framework", "dtype", "num_tokens", "hidden", "inter", "topk", "experts", "tp", "ep", "distribution"},
         moe_row,
         {"hidden", "inter", "topk", "experts", "tp", "ep"}},
        {"attention",
         {"gpu", "framework", "dtype", "kv_dtype", "batch", "query_len", "kv_len", "heads", "kv_heads", "head_dim"},
         attention_row,
         {"heads", "kv_heads", "head_dim"}},
        {"collective",
         {"gpu", "topology", "library", "collective", "ranks", "bytes", "dtype"},
         collective_row,
         {"ranks"}},
        {"all_reduce", {"gpu", "topology", "library", "ranks", "bytes", "dtype"}, all_reduce_row, {"ranks"}},
        {"gemm", {"gpu", "framework", "dtype", "m", "n", "k"}, gemm_row, {"n", "k"}},
        {"elementwise", {"gpu", "framework", "dtype", "m", "n", "bytes", "path"}, elementwise_row, {"path"}}};
    return kinds;
}

const TableKind& kind_of(const Csv& csv) {
    for (const TableKind& kind : table_kinds())
        if (std::all_of(kind.columns.begin(), kind.columns.end(), [&](const auto& c) { return csv.has(c); }))
            return kind;
    std::string known;
    for (const TableKind& kind : table_kinds())
        known += fmt::format("{}{}: {}", known.empty() ? "" : "; ", kind.kernel, fmt::join(kind.columns, ", "));
    // The names of the columns that a GEMM table lacks are the shortest thing to say.
    throw InputError(csv.rows() > 0 ? csv.place(0) : "--from",
                     "the columns are those of no table of kernels (" + known + "; each with seconds)");
}

/// Beyond every size of a kernel, in tokens, bytes or seconds, and small enough for products of them.
constexpr double largest = 1e15;

double positive(const Csv& csv, std::size_t row, const std::string& column) {
    const auto value = csv.number(row, column);
    if (!value) throw InputError(csv.place(row) + " " + column, "is empty; a positive number is needed");
    if (!(*value > 0 && *value <= largest))
        throw InputError(csv.place(row) + " " + column,
                         "must be a positive number up to 1e15, got " + in_quotes(csv.text(row, column)));
    return *value;
}

std::string text_or_empty(const Csv& csv, std::size_t row, const std::string& column) {
    return csv.has(column) ? csv.text(row, column) : std::string();
}

KernelRow read_row(const Csv& csv, std::size_t row, const TableKind& kind, Catalog& catalog) {
    const TableCells cells{[&](const std::string& column) { return positive(csv, row, column); },
                           [&](const std::string& column) { return text_or_empty(csv, row, column); }, csv.place(row)};
    KernelRow result;
    result.place = csv.place(row);
    result.op = kind.make(cells);
    result.seconds = positive(csv, row, "seconds");
    result.source = text_or_empty(csv, row, "source");
    result.group = {.kernel = kind.kernel,
                    .gpu = catalog.gpus.at(csv.text(row, "gpu"), csv.place(row) + " gpu").name,
                    .library = text_or_empty(csv, row, is_communication(result.op.kind) ? "library" : "framework"),
                    .topology = text_or_empty(csv, row, "topology"),
                    .dtype = csv.text(row, "dtype"),
                    .kv_dtype = text_or_empty(csv, row, "kv_dtype")};
    if (kind.kernel == "collective") result.group.kernel = result.op.name;
    if (kind.kernel == "attention")
        result.group.kernel =
            result.op.kind == OperatorKind::decode_attention ? "attention_decode" : "attention_prefill";
    for (const std::string& column : kind.shape) result.shape += csv.text(row, column) + " ";
    return result;
}

auto key_of(const KernelRow& row) {
    const Operator& op = row.op;
    return std::tuple(row.group, op.m, op.n, op.k, op.sequences, op.pairs, op.heads, op.kv_heads, op.head_dim, op.ranks,
                      op.work.message.value(), op.work.flop.value(), op.work.bytes_read.value(), op.ffn.tokens,
                      op.ffn.foreign, op.ffn.held);
}

/// Rows of the same shape become one with the median of their times.
std::size_t merge_duplicates(std::vector<KernelRow>& rows) {
    std::map<decltype(key_of(rows.front())), std::vector<double>> times;
    for (const KernelRow& row : rows) times[key_of(row)].push_back(row.seconds);
    std::vector<KernelRow> merged;
    for (KernelRow& row : rows) {
        std::vector<double>& all = times[key_of(row)];
        if (all.empty()) continue;
        std::sort(all.begin(), all.end());
        row.seconds = (all[(all.size() - 1) / 2] + all[all.size() / 2]) / 2;
        all.clear();
        merged.push_back(std::move(row));
    }
    const std::size_t duplicates = rows.size() - merged.size();
    rows = std::move(merged);
    return duplicates;
}

/// Between what a time may lie.
struct Plausible {
    double fastest = 0, slowest = 0;  ///< seconds
};

/// Caches serve repeated kernels several times faster than memory, and the slowest kernels known (fallbacks without
/// tensor cores) are some tens of times slower than the peaks allow; a ring over a few hosts' Ethernet takes 15 times
/// 0.1 ms and a link of 1 GB/s.
Plausible plausible(const KernelRow& row, Catalog& catalog) {
    constexpr double launch = 5e-6, faster = 30.0, slower = 300.0;
    if (is_communication(row.op.kind)) {
        constexpr double fast_link = 1e12, slow_start = 1e-4, slow_link = 1e9;
        const double bytes = row.op.work.message.value();
        return {(launch + bytes / fast_link) / faster, faster * (slow_start + bytes / slow_link)};
    }
    const Gpu& gpu = catalog.gpus.at(row.group.gpu, row.place);
    const GpuPeaks peaks = peaks_of(gpu, row.op.arithmetic);
    if (peaks.arithmetic <= FlopPerSecond(0))
        throw InputError(row.place, fmt::format("{} does not multiply {}", gpu.name, row.group.dtype));
    const Seconds least = std::max(row.op.work.flop / peaks.arithmetic,
                                   (row.op.work.bytes_read + row.op.work.bytes_written) / peaks.memory);
    return {(launch + least.value()) / faster, (launch + least.value()) * slower};
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

/// Takes rows out that no kernel explains; a group that is off as a whole is an error of units.
void judge(KernelTable& table, Catalog& catalog) {
    std::map<KernelGroup, std::vector<double>> over, under;
    for (const KernelRow& row : table.rows) {
        const Plausible range = plausible(row, catalog);
        over[row.group].push_back(row.seconds / range.slowest);
        under[row.group].push_back(row.seconds / range.fastest);
    }
    for (const auto& [group, shares] : over) {
        // A third of the slowest in the middle of a group: wrong as a whole.
        const bool slow = median(shares) > 1.0 / 3.0;
        if (!slow && median(under[group]) >= 1.0) continue;
        const auto first = std::find_if(table.rows.begin(), table.rows.end(),
                                        [&, &g = group](const KernelRow& row) { return row.group == g; });
        throw InputError(first->place + " seconds",
                         fmt::format("the times of {} are no seconds, for no kernel is so {}: are they in {}?",
                                     group.text(), slow ? "slow" : "fast", slow ? "milliseconds" : "kiloseconds"));
    }
    std::erase_if(table.rows, [&](const KernelRow& row) {
        const Plausible range = plausible(row, catalog);
        if (row.seconds >= range.fastest && row.seconds <= range.slowest) return false;
        table.implausible.push_back(fmt::format("{}: {} s is not between {:.3g} and {:.3g} s, which kernels take",
                                                row.place, row.seconds, range.fastest, range.slowest));
        return true;
    });
}

/// Takes products out that read faster than memory can although most smaller ones by the same weights took three times
/// as long: a cache that held the weights would have served those too.
void drop_contradicted(KernelTable& table, Catalog& catalog) {
    constexpr double beyond_memory = 1.5, longer = 3.0;
    std::map<std::pair<KernelGroup, std::string>, std::vector<KernelRow>> shapes;
    for (const KernelRow& row : table.rows)
        if (row.group.kernel == "gemm") shapes[{row.group, row.shape}].push_back(row);
    std::erase_if(table.rows, [&](const KernelRow& row) {
        if (row.group.kernel != "gemm") return false;
        const GpuPeaks peaks = peaks_of(catalog.gpus.at(row.group.gpu, row.place), row.op.arithmetic);
        const Seconds read = (row.op.work.bytes_read + row.op.work.bytes_written) / peaks.memory;
        if (row.seconds * beyond_memory > read.value()) return false;
        std::vector<double> smaller;
        for (const KernelRow& other : shapes[{row.group, row.shape}])
            if (other.op.m < row.op.m) smaller.push_back(other.seconds);
        if (smaller.empty() || median(smaller) < longer * row.seconds) return false;
        table.implausible.push_back(fmt::format("{}: {} s, but smaller products by these weights took {:.3g} s",
                                                row.place, row.seconds, median(smaller)));
        return true;
    });
}

}  // namespace

std::string KernelGroup::text() const {
    std::string result = kernel;
    for (const std::string* part : {&gpu, &topology, &library, &dtype, &kv_dtype})
        if (!part->empty()) result += " " + *part;
    return result;
}

KernelTable read_kernel_table(const Csv& csv, Catalog& catalog) {
    const TableKind& kind = kind_of(csv);
    csv.require({"seconds"});
    KernelTable table;
    table.read = csv.rows();
    for (std::size_t row = 0; row < csv.rows(); ++row) {
        if (text_or_empty(csv, row, "timed_out") == "1")
            table.implausible.push_back(csv.place(row) + ": its timing ran out before it was steady");
        else
            table.rows.push_back(read_row(csv, row, kind, catalog));
    }
    if (table.rows.empty()) return table;
    table.duplicates = merge_duplicates(table.rows);
    judge(table, catalog);
    drop_contradicted(table, catalog);
    return table;
}

}  // namespace plimsoll
