#include "calibrate/kernel_operators.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "model/base/error.hpp"
#include "model/base/units_text.hpp"

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

/// What one rank of a mixture of experts computes: choices of tokens that fall to it, experts that at least one of them
/// falls to.
struct RankLoad {
    double choices, experts;
};

/// Experts loaded in turn, or as the published tables load them ("power_law_ALPHA"): each expert's load drawn from a
/// density x^-alpha over 1 .. 0.8 tokens (0.01 .. 2 where choices are fewer than experts), and the rank with the
/// highest sum timed (AIConfigurator 095f58a, collector/helper.py). The draws behind a row are not known: means of
/// some.
RankLoad load_of_rank(const TableCells& cells, double tokens) {
    constexpr std::string_view law = "power_law_";
    constexpr int draws = 16;
    const std::string distribution = cells.text("distribution");
    const double choices = tokens * cells.number("topk"), experts = cells.number("experts"), ranks = cells.number("ep");
    const auto own = static_cast<std::size_t>(std::max(1.0, experts / ranks));
    if (!distribution.starts_with(law)) {
        if (distribution != "balanced")
            throw InputError(cells.place + " distribution",
                             unknown_name("distribution", distribution, {"balanced", "power_law_ALPHA"}));
        const double routed = std::max(1.0, choices / ranks);
        return {routed, std::min(static_cast<double>(own), routed)};
    }
    // 1 has a density of its own, which its neighbours approach.
    const double alpha =
        std::max(1.0 + 1e-6, parse_number(distribution.substr(law.size()), cells.place + " distribution"));
    const bool many = choices > experts;
    const double low = std::pow(many ? 1.0 : 0.01, 1 - alpha), high = std::pow(many ? 0.8 * tokens : 2.0, 1 - alpha);
    std::mt19937_64 random(1);
    RankLoad mean{0, 0};
    for (int draw = 0; draw < draws; ++draw) {
        std::vector<double> loads(own * static_cast<std::size_t>(ranks));
        for (double& load : loads) {
            const double share = static_cast<double>(random() >> 11) * 0x1.0p-53;
            load = std::pow(low + (high - low) * share, 1 / (1 - alpha));
        }
        const double scale = choices / std::accumulate(loads.begin(), loads.end(), 0.0);
        RankLoad busiest{0, 0};
        for (auto first = loads.begin(); first != loads.end(); first += static_cast<std::ptrdiff_t>(own)) {
            RankLoad rank{0, 0};
            for (std::size_t i = 0; i < own; ++i) {
                const double load = std::min(tokens, scale * first[static_cast<std::ptrdiff_t>(i)]);
                rank.choices += load;
                rank.experts += std::min(1.0, std::round(load));
            }
            if (rank.choices > busiest.choices) busiest = rank;
        }
        mean.choices += busiest.choices / draws, mean.experts += busiest.experts / draws;
    }
    return {std::max(1.0, mean.choices), std::max(1.0, mean.experts)};
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
    const double tokens = cells.number("num_tokens"), hidden = cells.number("hidden");
    const double inter = cells.number("inter") / cells.number("tp");
    const auto [routed, distinct] = load_of_rank(cells, tokens);
    Operator op = product(routed, 3 * inter, hidden, distinct * 3 * inter * hidden, e);
    // Each product's result is written and read again: by the activation, by the second product and by the sum over a
    // token's experts.
    op.work.bytes_read += Bytes(2 * routed * (3 * inter + hidden));
    op.work.bytes_written += Bytes(2 * routed * hidden);
    op.m = routed / distinct;
    op.experts = distinct;
    return op;
}

}  // namespace plimsoll
