#include "model/cost/block.hpp"

namespace plimsoll {
namespace {

/// Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434, section 2.1): a token leaves one latent of kv_lora_rank
/// values and one rotary key in the cache, shared by all heads and copied to every tensor rank. A prefill expands the
/// latents to keys and values of each head; a decode takes the expansion into its queries and outputs ("absorbed") and
/// attends over the latents themselves. Either way a token passes the matrices of the expansion once.
class LatentAttention final : public Block {
  public:
    LatentAttention(const Fields& fields, int hidden)
        : hidden_(hidden),
          heads_(size(fields, "heads")),
          query_rank_(fields.has("q_lora_rank") ? size(fields, "q_lora_rank") : 0),
          latent_(size(fields, "kv_lora_rank")),
          plain_(size(fields, "qk_nope_head_dim")),
          rotary_(size(fields, "qk_rope_head_dim")),
          value_(size(fields, "v_head_dim")) {
        fields.finish();
    }

    [[nodiscard]] std::int64_t matrix_parameters() const override { return matrix_parameters_per_rank({}); }
    [[nodiscard]] std::int64_t other_parameters() const override { return query_rank_ + latent_; }
    [[nodiscard]] std::int64_t matrix_parameters_per_rank(const Split& split) const override {
        const std::int64_t heads = rank_heads(split), hidden = hidden_;
        const std::int64_t query = query_rank_ > 0 ? hidden * query_rank_ + query_rank_ * heads * (plain_ + rotary_)
                                                   : hidden * heads * (plain_ + rotary_);
        return query + hidden * (latent_ + rotary_) + latent_ * heads * (plain_ + value_) + heads * value_ * hidden;
    }
    [[nodiscard]] double kv_values_per_token(const Split& split) const override {
        return static_cast<double>(latent_ + rotary_) / split.context;
    }
    [[nodiscard]] double widest_activation(const Split& split) const override {
        return static_cast<double>(rank_heads(split)) * (2 * plain_ + 2 * rotary_ + value_) + query_rank_ + latent_ +
               rotary_;
    }
    [[nodiscard]] std::optional<std::string> refusal(const Split& split) const override {
        const int ranks = split.attention_ranks();
        if (heads_ % ranks == 0) return context_refusal(split, ranks);
        return std::to_string(ranks) + " ranks do not divide " + std::to_string(heads_) + " attention heads";
    }

    [[nodiscard]] Operator prefill_attention(const StepShape& shape, const Split& split,
                                             Storage storage) const override {
        const double bytes = storage.activation_bytes(), heads = rank_heads(split);
        Operator op = attention("prefill_attention", "_context_attention_kernel", split, storage);
        op.kind = OperatorKind::prefill_attention;
        op.follows = Follows::own_prompts;
        op.kv_heads = heads;
        op.head_dim = (plain_ + rotary_ + value_) / 2.0;
        op.value_dim = value_;
        op.sequences = shape.prefill_sequences;
        op.m = shape.prefill_tokens;
        op.pairs = shape.attention_pairs;
        op.work.flop = Flop(2.0 * op.pairs * heads * (plain_ + rotary_ + value_));
        const double query = op.m / op.sequences;
        const double keys = op.sequences * (op.pairs / op.m + (query - 1.0) / 2.0);
        op.work.bytes_read =
            Bytes((op.m * heads * (plain_ + rotary_) + keys * heads * (plain_ + rotary_ + value_)) * bytes);
        op.work.bytes_written = Bytes(op.m * heads * value_ * bytes);
        return op;
    }

    [[nodiscard]] Operator decode_attention(const StepShape& shape, const Split& split,
                                            Storage storage) const override {
        // Ranks that share a context gather their queries, so that each attends with all of them to its own tokens.
        const double heads = static_cast<double>(rank_heads(split)) * split.context;
        Operator op = attention("decode_attention", "_token_attention_kernel", split, storage);
        op.kind = OperatorKind::decode_attention;
        op.follows = Follows::own_context;
        op.kv_heads = 1;
        op.head_dim = latent_ + rotary_;
        op.value_dim = latent_;
        op.sequences = shape.decode_sequences;
        op.m = shape.decode_tokens();
        op.heads = heads;
        op.pairs = shape.context_tokens / split.context;
        op.work.flop = Flop(2.0 * op.pairs * shape.queries_per_decode * heads * (2 * latent_ + rotary_));
        const double queries = op.m * heads * (latent_ + rotary_) * storage.activation_bytes();
        op.work.bytes_read = Bytes(op.pairs * (latent_ + rotary_) * bytes_per_value(storage.kv) + queries);
        op.work.bytes_written = Bytes(queries);
        return op;
    }

    void add_operators(const StepShape& shape, const Split& split, Storage storage,
                       std::vector<Operator>& operators) const override {
        const double tokens = shape.tokens(), bytes = storage.activation_bytes(), heads = rank_heads(split);
        const Dtype weights = matrix_dtype(storage.weights);
        const double query = heads * (plain_ + rotary_), cached = latent_ + rotary_;
        const auto replicated = [&](Operator op) {
            op.replicated = true;
            operators.push_back(op);
        };
        if (query_rank_ > 0) {
            replicated(gemm_operator("query_down", "_get_qkv", tokens, query_rank_, hidden_, weights));
            operators.push_back(gemm_operator("query_up", "_get_qkv", tokens, query, query_rank_, weights));
        } else {
            operators.push_back(gemm_operator("query_projection", "_get_qkv", tokens, query, hidden_, weights));
        }
        replicated(gemm_operator("latent_down", "_get_qkv", tokens, cached, hidden_, weights));
        const double norms = tokens * (query_rank_ + latent_) * bytes;
        replicated(elementwise_operator("latent_norm", "_get_qkv", norms, norms));
        const double rope = tokens * (heads + 1) * rotary_ * bytes;
        operators.push_back(elementwise_operator("rope", "_get_qkv", rope, rope));
        replicated(elementwise_operator("kv_write", shape.prefill_tokens > 0 ? "_post_cache_kv" : "_pre_cache_kv",
                                        tokens * cached * bytes, tokens * cached * bytes_per_value(storage.kv)));
        operators.push_back(
            gemm_operator("latent_up", "_get_qkv", tokens, heads * (plain_ + value_), latent_, weights));
        if (shape.prefill_tokens > 0) operators.push_back(prefill_attention(shape, split, storage));
        if (shape.decode_sequences > 0) operators.push_back(decode_attention(shape, split, storage));
        operators.push_back(gemm_operator("output_projection", "_get_o", tokens, hidden_, heads * value_, weights));
    }

  private:
    static int size(const Fields& fields, std::string_view key) {
        return static_cast<int>(fields.integer(key, {1, 1e5}));
    }
    [[nodiscard]] int rank_heads(const Split& split) const { return heads_ / split.attention_ranks(); }
    [[nodiscard]] Operator attention(std::string_view name, std::string_view document_name, const Split& split,
                                     Storage storage) const {
        Operator op{.name = name, .document_name = document_name};
        op.arithmetic = activation_dtype(storage.weights);
        op.heads = rank_heads(split);
        return op;
    }

    int hidden_, heads_;
    int query_rank_;  ///< 0: queries come from the hidden state in one matrix
    int latent_, plain_, rotary_, value_;
};

}  // namespace

void register_attention_mla(Registry<BlockKind>& registry) {
    registry.add("attention_mla", {.is_attention = true, .make = [](const Fields& fields, int hidden) {
                                       return std::make_unique<LatentAttention>(fields, hidden);
                                   }});
}

}  // namespace plimsoll
