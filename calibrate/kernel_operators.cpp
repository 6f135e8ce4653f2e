#include "calibrate/kernel_operators.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "model/base/error.hpp"

namespace plimsoll {
namespace {

/// How a table's word for a type is stored and multiplied.
struct Element {
    std::string_view name;
    double weight_bytes;
    Dtype arithmetic;
    bool weight_only;  ///< expanded to 16 bits before it is multiplied
};
constexpr Element elements[] = {{"bf16", 2, Dtype::bf16, false},
                                {"fp16", 2, Dtype::fp16, false},
                                {"fp32", 4, Dtype::fp32, false},
                                {"fp8", 1, Dtype::fp8, false},
                                {"fp8_block", 1, Dtype::fp8, false},
                                {"int8", 1, Dtype::int8, false},
                                {"int8_wo", 1, Dtype::fp16, true},
                                // Groups of 128: a 16-bit scale and a 4-bit zero each, as in model/spec/dtype.
                                {"int4_wo", bytes_per_value(Dtype::awq_int4), Dtype::fp16, true},
                                // MX format: one 8-bit scale for 32 values.
                                {"w4a16_mxfp4", 4.25 / 8, Dtype::fp16, true}};

const Element& element(const std::string& name, const std::string& place) {
    std::vector<std::string> known;
    for (const Element& e : elements) {
        if (e.name == name) return e;
        known.emplace_back(e.name);
    }
    throw InputError(place + " dtype", unknown_name("type", name, known));
}

bool quantizes_activations(const Element& e) {
    return !e.weight_only && e.weight_bytes == 1;
}

/// A product [m, k] x [k, n] of which `weights` values are read.
Operator product(double m, double n, double k, double weights, const Element& e) {
    const double activation = e.arithmetic == Dtype::fp32 ? 4 : 2;
    Operator op{.name = "gemm", .document_name = "gemm", .kind = OperatorKind::gemm};
    op.arithmetic = e.arithmetic;
    op.expanded_weights = e.weight_only;
    op.m = m, op.n = n, op.k = k;
    op.work.flop = Flop(2 * m * n * k);
    op.work.bytes_read = Bytes(weights * e.weight_bytes + m * k * activation);
    op.work.bytes_written = Bytes(m * n * activation);
    // Read as they are and written at one byte, which the product then reads (as gemm_operator has it).
    if (quantizes_activations(e)) {
        op.work.bytes_read += Bytes(m * k);
        op.work.bytes_written += Bytes(m * k);
    }
    return op;
}

}  // namespace

Operator gemm_row(const TableCells& cells) {
    const double n = cells.number("n"), k = cells.number("k");
    return product(cells.number("m"), n, k, n * k, element(cells.text("dtype"), cells.place));
}

Operator attention_row(const TableCells& cells) {
    const Element& e = element(cells.text("dtype"), cells.place);
    const double batch = cells.number("batch"), query = cells.number("query_len"), kv = cells.number("kv_len");
    Operator op{.name = "attention", .document_name = "attention"};
    op.arithmetic = e.arithmetic;
    op.kind = query == 1 && kv > 1 ? OperatorKind::decode_attention : OperatorKind::prefill_attention;
    op.sequences = batch;
    op.m = batch * query;
    op.heads = cells.number("heads");
    op.kv_heads = cells.number("kv_heads");
    op.head_dim = cells.number("head_dim");
    if (query > kv) throw InputError(cells.place + " query_len", "is above kv_len, which counts the query too");
    if (op.heads < op.kv_heads) throw InputError(cells.place + " heads", "is below kv_heads");
    op.pairs = batch * causal_pairs(query, kv - query);
    op.work.flop = Flop(4 * op.pairs * op.heads * op.head_dim);
    op.work.bytes_written = Bytes(op.m * op.heads * op.head_dim * 2);
    const double kv_bytes = element(cells.text("kv_dtype"), cells.place).weight_bytes;
    op.work.bytes_read = op.work.bytes_written + Bytes(batch * kv * 2 * op.kv_heads * op.head_dim * kv_bytes);
    return op;
}

Operator all_reduce_row(const TableCells& cells) {
    Operator op{.name = "all_reduce", .document_name = "all_reduce", .kind = OperatorKind::all_reduce};
    op.work.message = Bytes(cells.number("bytes"));
    const double ranks = cells.number("ranks");
    if (ranks < 2 || ranks > 1e6 || ranks != std::floor(ranks))
        throw InputError(cells.place + " ranks", "must be a whole number from 2");
    op.ranks = static_cast<int>(ranks);
    return op;
}

Operator elementwise_row(const TableCells& cells) {
    Operator op = elementwise_operator("elementwise", "elementwise", cells.number("bytes"), 0.0);
    op.arithmetic = element(cells.text("dtype"), cells.place).arithmetic;
    op.m = cells.number("m"), op.n = cells.number("n");
    return op;
}

Operator moe_row(const TableCells& cells) {
    const Element& e = element(cells.text("dtype"), cells.place);
    const double tokens = cells.number("num_tokens"), hidden = cells.number("hidden"), topk = cells.number("topk");
    const double inter = cells.number("inter") / cells.number("tp");
    const double experts = cells.number("experts") / cells.number("ep");
    // Of the tokens' choices a rank serves the share of its experts; an expert that nobody chose is not read.
    const double routed = tokens * topk / cells.number("ep");
    const double distinct = experts * (1 - std::pow(1 - 1 / experts, routed));
    Operator op = product(routed, 3 * inter, hidden, distinct * 3 * inter * hidden, e);
    op.m = routed / distinct;
    op.experts = distinct;
    return op;
}

}  // namespace plimsoll
