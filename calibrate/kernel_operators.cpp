#include "calibrate/kernel_operators.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "calibrate/routed_load.hpp"
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

/// Experts of two matrices, without a gate, among the rows of AIConfigurator: those of Nemotron 3, which its collector
/// ran as they are from vLLM 0.24 on and with a gate before (095f58a, collector/vllm/collect_moe.py).
bool without_gate(const TableCells& cells) {
    if (cells.text("source") != "aiconfigurator" || !cells.text("framework").starts_with("vllm-0.24")) return false;
    constexpr std::pair<double, double> nemotron[] = {{2688, 1856}, {4096, 2688}, {2048, 5120}};
    const std::pair sizes(cells.number("hidden"), cells.number("inter"));
    return std::find(std::begin(nemotron), std::end(nemotron), sizes) != std::end(nemotron);
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

Operator collective_row(const TableCells& cells) {
    Operator op = all_reduce_row(cells);
    const std::string name = cells.text("collective");
    if (name == "all_reduce") return op;
    if (name != "all_to_all")
        throw InputError(cells.place + " collective", unknown_name("collective", name, {"all_reduce", "all_to_all"}));
    op.name = op.document_name = "all_to_all";
    op.kind = OperatorKind::all_to_all;
    op.work.message = op.work.message * ((op.ranks - 1.0) / op.ranks);  // its own part stays
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
    const RoutedLoad load = routed_load(cells);
    ExpertFfn ffn{.width = cells.number("inter") / cells.number("tp"),
                  .hidden = cells.number("hidden"),
                  .matrices = without_gate(cells) ? 2.0 : 3.0,
                  .tokens = load.tokens,
                  .foreign = load.foreign,
                  .held = cells.number("experts") / cells.number("ep")};
    ffn.weights = Bytes(load.experts * ffn.weights_of_one() * e.weight_bytes);
    Operator op = product(load.rows, ffn.matrices * ffn.width, ffn.hidden, load.experts * ffn.weights_of_one(), e);
    op.m = load.rows / load.experts;
    op.experts = load.experts;
    op.ffn = ffn;
    return op;
}

}  // namespace plimsoll
