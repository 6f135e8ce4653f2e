#pragma once
#include <algorithm>
#include <string_view>
#include <vector>

#include "model/base/units.hpp"
#include "model/spec/dtype.hpp"

namespace plimsoll {

/// What one engine step processes, summed over its sequences. Kept incrementally by whoever schedules.
struct StepShape {
    double prefill_sequences = 0;  ///< prompts (or chunks) in the step
    double prefill_tokens = 0;     ///< their tokens
    double attention_pairs = 0;    ///< query-key pairs of these tokens under the causal mask
    double even_prompts = 0;  ///< as many of one length vary as much, tokens^2 / sum of squares; 0: all of one length
    double decode_sequences = 0;
    double context_tokens = 0;      ///< KV tokens read by the decodes, summed
    double queries_per_decode = 1;  ///< tokens of each that the step checks at once: drafted ones and the one before

    [[nodiscard]] double decode_tokens() const { return decode_sequences * queries_per_decode; }
    [[nodiscard]] double tokens() const { return prefill_tokens + decode_tokens(); }
    /// Rows that reach the LM head: the last position of each prompt, and all of the decodes.
    [[nodiscard]] double rows() const { return prefill_sequences + decode_tokens(); }
};

/// Query-key pairs of a causal prefill of `query` tokens after `past` tokens that are already cached.
[[nodiscard]] constexpr double causal_pairs(double query, double past) {
    return query * past + query * (query + 1) / 2;
}
/// The same where a query sees the last `window` tokens only, itself included.
[[nodiscard]] constexpr double windowed_pairs(double query, double past, double window) {
    const double growing = std::clamp(window - past, 0.0, query);
    return causal_pairs(growing, past) + (query - growing) * window;
}

/// The share of the fullest of `parts` parts that whole sequences are spread over evenly: a few sequences leave parts
/// empty.
[[nodiscard]] constexpr double fullest_share(double sequences, int parts) {
    return 1.0 / std::clamp(sequences, 1.0, static_cast<double>(parts));
}
/// What the fullest of `parts` groups of ranks processes of a step where each has sequences of its own.
[[nodiscard]] StepShape part_of(const StepShape& shape, int parts);
/// The prompts of a step without its decodes, and the other way round, one token of each.
[[nodiscard]] StepShape prompts_of(const StepShape& shape);
[[nodiscard]] StepShape decodes_of(const StepShape& shape);

enum class OperatorKind {
    gemm,
    prefill_attention,
    decode_attention,
    elementwise,
    all_reduce,
    all_gather,
    reduce_scatter,
    all_to_all,
    send_recv
};
[[nodiscard]] std::string_view to_string(OperatorKind kind);
[[nodiscard]] constexpr bool is_communication(OperatorKind kind) {
    return kind >= OperatorKind::all_reduce;
}

/// What of a step the time of an operator follows. "Own" is what the rank's attention group has of it.
enum class Follows {
    tokens,       ///< all tokens of the step
    own_tokens,   ///< likewise of the own group
    own_rows,     ///< positions of the own group that reach the LM head
    own_decodes,  ///< decoding sequences of the own group
    own_prompts,  ///< its prompts: their tokens, and the pairs or the context before them
    own_context   ///< its decodes and what they attend to
};

/// Arithmetic, memory traffic and messages of one operator on one rank.
struct Work {
    Flop flop;
    Bytes bytes_read;
    Bytes bytes_written;
    Bytes message;  ///< payload that one rank contributes to a collective or sends on
};

/// The FFN of a mixture on one rank, all products of its experts together.
struct ExpertFfn {
    double width = 0;     ///< of an expert on the rank
    double hidden = 0;    ///< of the model
    double matrices = 3;  ///< [hidden, width] of an expert: three with a gate
    double tokens = 0;    ///< that the rank starts from
    double foreign = 0;   ///< choices of these tokens that fall to experts of other ranks
    double held = 1;      ///< experts of the rank
    Bytes weights{};      ///< of those that a token falls to

    [[nodiscard]] double weights_of_one() const { return matrices * width * hidden; }
};

/// One operator of a step on one rank of one pipeline stage, with the shape that its time depends on.
struct Operator {
    std::string_view name;
    std::string_view document_name;  ///< as the source documents' profiles call it
    OperatorKind kind = OperatorKind::elementwise;
    double count = 1;  ///< times that it runs in the step
    Follows follows = Follows::tokens;
    Work work{};
    Dtype arithmetic = Dtype::fp16;

    double m = 0;  ///< gemm [m, k] x [k, n]; attention: tokens of query
    double n = 0;
    double k = 0;
    bool expanded_weights = false;  ///< turned into the arithmetic type before they are used
    bool replicated = false;        ///< every rank of a tensor split does all of it

    double sequences = 0;  ///< attention
    double pairs = 0;      ///< prefill attention: query-key pairs, per head
    double heads = 0;      ///< query heads of the rank
    double kv_heads = 0;   ///< KV heads of the rank
    double head_dim = 0;
    double value_dim = 0;  ///< values that a head puts out for a token

    double imbalance = 1;  ///< work of the fullest rank, which this is, over that of the mean one
    double experts = 0;    ///< gemm: experts that the batch reaches, each [m, k] x [k, n] on the mean; 0: one product.
                           ///< elementwise: likewise, of what lies between their products
    ExpertFfn ffn{};       ///< gemm of experts: the FFN that it is a part of

    int ranks = 1;  ///< collectives
    int hosts = 1;  ///< that these ranks lie on
};

/// A dense product [m, k] x [k, n] with weights and activations of the given types.
[[nodiscard]] Operator gemm_operator(std::string_view name, std::string_view document_name, double m, double n,
                                     double k, Dtype weights);
/// An elementwise kernel that reads and writes the given bytes.
[[nodiscard]] Operator elementwise_operator(std::string_view name, std::string_view document_name, double read,
                                            double written);

}  // namespace plimsoll
