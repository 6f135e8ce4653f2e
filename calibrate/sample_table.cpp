#include "calibrate/sample_table.hpp"

#include <array>

#include <fmt/format.h>

namespace plimsoll {
namespace {

/// Which columns a class has before the time; those of other people's tables come first.
struct Layout {
    std::string columns;
    std::string (*cells)(const KernelPoint& point, const SampleLabels& labels);
};

std::string product_cells(const KernelPoint& point, const SampleLabels& labels) {
    const KernelShape& s = point.shape;
    return fmt::format("{},{},{},{},{},{},{}", labels.source, labels.gpu, labels.library, point.dtype, s.m, s.n, s.k);
}

std::string attention_cells(const KernelPoint& point, const SampleLabels& labels) {
    const KernelShape& s = point.shape;
    return fmt::format("{},{},{},{},{},{},{},{},{},{},{}", labels.source, labels.gpu, labels.library, point.dtype,
                       point.kv_dtype, s.batch, s.query, s.kv, s.heads, s.kv_heads, s.head_dim);
}

std::string expert_cells(const KernelPoint& point, const SampleLabels& labels) {
    const KernelShape& s = point.shape;
    return fmt::format("{},{},{},{},{},{},{},{},{},1,1,{}", labels.source, labels.gpu, labels.library, point.dtype, s.m,
                       s.k, s.n, s.top_k, s.experts, point.path);
}

std::string collective_cells(const KernelPoint& point, const SampleLabels& labels) {
    return fmt::format("{},{},{},{},{},{},{}", labels.source, labels.gpu, labels.topology, labels.library,
                       point.shape.ranks, point.shape.bytes, point.dtype);
}

std::string named_collective_cells(const KernelPoint& point, const SampleLabels& labels) {
    return collective_cells(point, labels) + fmt::format(",{}", to_string(point.kernel));
}

std::string plain_cells(const KernelPoint& point, const SampleLabels& labels) {
    const KernelShape& s = point.shape;
    return fmt::format("{},{},{},{},{},{},{}", labels.source, labels.gpu, labels.library, point.dtype, s.m, s.n,
                       s.bytes);
}

const Layout& layout_of(KernelClass kernel) {
    static const Layout product{"source,gpu,framework,dtype,m,n,k", product_cells};
    static const Layout attention{"source,gpu,framework,dtype,kv_dtype,batch,query_len,kv_len,heads,kv_heads,head_dim",
                                  attention_cells};
    static const Layout expert{"source,gpu,framework,dtype,num_tokens,hidden,inter,topk,experts,tp,ep,distribution",
                               expert_cells};
    static const Layout collective{"source,gpu,topology,library,ranks,bytes,dtype", collective_cells};
    // Without a name the rows are all-reduces.
    static const Layout named_collective{collective.columns + ",collective", named_collective_cells};
    static const Layout plain{"source,gpu,framework,dtype,m,n,bytes", plain_cells};
    switch (kernel) {
        case KernelClass::gemm:
            return product;
        case KernelClass::attention_prefill:
        case KernelClass::attention_decode:
            return attention;
        case KernelClass::moe:
            return expert;
        case KernelClass::all_reduce:
            return collective;
        case KernelClass::all_gather:
        case KernelClass::reduce_scatter:
        case KernelClass::all_to_all:
        case KernelClass::send_recv:
            return named_collective;
        default:
            return plain;
    }
}

std::string row_of(const Measured& measured, const Layout& layout, const SampleLabels& labels) {
    const Sample& sample = measured.sample;
    const Findings found = findings(sample.times);
    std::string row = layout.cells(sample.point, labels);
    row += fmt::format(",{:.6g},{},{},{},{},{:.4g}", sample.median.value(), sample.point.path, sample.point.shape.ranks,
                       sample.point.cold ? 1 : 0, measured.round, sample.relative_half_width);
    row += fmt::format(",{},{},{},{},{:.4g},{},{},{:.0f},{:.3g},", sample.times.size(), sample.discarded,
                       sample.disturbed ? 1 : 0, sample.timed_out ? 1 : 0, found.drift, found.spikes,
                       found.bimodal ? 1 : 0, sample.clock_mhz, sample.error);
    for (const Seconds time : sample.times) row += fmt::format("{}{:.5g}", row.back() == ',' ? "" : " ", time.value());
    return row + "\n";
}

constexpr std::string_view more_columns =
    ",seconds,path,threads,cold,round,half_width,readings,discarded,disturbed,timed_out,drift,spikes,bimodal,clock_mhz,"
    "error,"
    "times";

}  // namespace

std::string_view to_string(KernelClass kernel) {
    constexpr std::array<std::string_view, 13> names{
        "gemm",       "attention_prefill", "attention_decode", "moe",    "all_reduce", "all_gather", "reduce_scatter",
        "all_to_all", "send_recv",         "elementwise",      "memory", "launch",     "sampling"};
    return names[static_cast<std::size_t>(kernel)];
}

std::map<std::string, std::string> sample_tables(std::span<const Measured> samples, const SampleLabels& labels) {
    std::map<std::string, std::string> tables;
    for (const Measured& measured : samples) {
        const Layout& layout = layout_of(measured.sample.point.kernel);
        std::string& table = tables[measured.benchmark + ".csv"];
        if (table.empty()) table = layout.columns + std::string(more_columns) + "\n";
        SampleLabels own = labels;
        const std::int64_t threads = measured.sample.point.shape.ranks;
        if (labels.threads != 0 && threads != labels.threads) own.gpu += fmt::format(":{}", threads);
        table += row_of(measured, layout, own);
    }
    return tables;
}

}  // namespace plimsoll
