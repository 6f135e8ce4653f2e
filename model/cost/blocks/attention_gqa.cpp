#include "model/cost/block.hpp"

namespace plimsoll {
namespace {

/// Multi-head and grouped-query attention with rotary positions under a causal mask, over all tokens or a window of
/// the last ones.
class GroupedQueryAttention final : public Block {
  public:
    GroupedQueryAttention(const Fields& fields, int hidden)
        : hidden_(hidden),
          heads_(static_cast<int>(fields.integer("heads", {1, 1e5}))),
          kv_heads_(static_cast<int>(fields.integer("kv_heads", {1, 1e5}))),
          head_dim_(static_cast<int>(fields.integer("head_dim", {1, 1e5}))),
          qkv_bias_(fields.boolean_or("qkv_bias", false)),
          output_bias_(fields.boolean_or("output_bias", false)),
          qk_norm_(fields.boolean_or("qk_norm", false)),
          sinks_(fields.boolean_or("sinks", false)) {
        if (heads_ % kv_heads_ != 0) fields.fail("kv_heads", "must divide 'heads'");
        if (fields.has("window")) window_ = static_cast<int>(fields.integer("window", {1, 1e9}));
        fields.finish();
    }

    [[nodiscard]] std::int64_t matrix_parameters() const override {
        return std::int64_t{hidden_} * head_dim_ * (2 * heads_ + 2 * kv_heads_);
    }
    [[nodiscard]] std::int64_t other_parameters() const override {
        return (qkv_bias_ ? std::int64_t{head_dim_} * (heads_ + 2 * kv_heads_) : 0) + (output_bias_ ? hidden_ : 0) +
               (qk_norm_ ? 2 * head_dim_ : 0) + (sinks_ ? heads_ : 0);
    }
    [[nodiscard]] std::int64_t matrix_parameters_per_rank(const Split& split) const override {
        return std::int64_t{hidden_} * head_dim_ * (2 * rank_heads(split) + 2 * rank_kv_heads(split));
    }
    [[nodiscard]] double kv_values_per_token(const Split& split) const override {
        return kv_width(split) / split.context;
    }
    [[nodiscard]] std::optional<int> window() const override { return window_; }
    [[nodiscard]] double widest_activation(const Split& split) const override {
        return static_cast<double>(head_dim_) * (2 * rank_heads(split) + 2 * rank_kv_heads(split));
    }
    [[nodiscard]] std::optional<std::string> refusal(const Split& split) const override {
        const int ranks = split.attention_ranks();
        if (heads_ % ranks != 0)
            return std::to_string(ranks) + " ranks do not divide " + std::to_string(heads_) + " attention heads";
        if (kv_heads_ % ranks != 0 && ranks % kv_heads_ != 0)
            return std::to_string(ranks) + " ranks neither divide nor are a multiple of " + std::to_string(kv_heads_) +
                   " KV heads";
        return context_refusal(split, std::max(1, ranks / kv_heads_));
    }

    [[nodiscard]] Operator prefill_attention(const StepShape& shape, const Split& split,
                                             Storage storage) const override {
        const double bytes = storage.activation_bytes(), kv_bytes = bytes_per_value(storage.kv);
        Operator op = attention("prefill_attention", "_context_attention_kernel", split, storage);
        op.kind = OperatorKind::prefill_attention;
        op.follows = Follows::own_prompts;
        op.sequences = shape.prefill_sequences;
        op.m = shape.prefill_tokens;
        op.pairs = shape.attention_pairs;
        const double query = op.m / op.sequences;
        // The last query of a chunk of q sees all keys, the mean one (q - 1) / 2 fewer.
        double keys = op.pairs / op.m + (query - 1.0) / 2.0;
        if (window_) {
            op.pairs = op.sequences * windowed_pairs(query, keys - query, *window_);
            keys = std::min(keys, query + *window_ - 1.0);
        }
        op.work.flop = Flop(4.0 * op.pairs * query_width(split));
        op.work.bytes_read =
            Bytes(op.m * query_width(split) * bytes + op.sequences * keys * kv_width(split) * kv_bytes);
        op.work.bytes_written = Bytes(op.m * query_width(split) * bytes);
        return op;
    }

    [[nodiscard]] Operator decode_attention(const StepShape& shape, const Split& split,
                                            Storage storage) const override {
        Operator op = attention("decode_attention", "_token_attention_kernel", split, storage);
        op.kind = OperatorKind::decode_attention;
        op.follows = Follows::own_context;
        op.sequences = shape.decode_sequences;
        op.m = shape.decode_tokens();
        // A batch of short and long contexts reads less than this: the window cuts each on its own.
        op.pairs = window_ ? std::min(shape.context_tokens, op.sequences * *window_) : shape.context_tokens;
        op.pairs /= split.context;
        op.heads *= split.context;
        const double queries = op.m * op.heads * head_dim_ * storage.activation_bytes();
        op.work.flop = Flop(4.0 * op.pairs * shape.queries_per_decode * op.heads * head_dim_);
        op.work.bytes_read = Bytes(op.pairs * kv_width(split) * bytes_per_value(storage.kv) + queries);
        op.work.bytes_written = Bytes(queries);
        return op;
    }

    void add_operators(const StepShape& shape, const Split& split, Storage storage,
                       std::vector<Operator>& operators) const override {
        const double tokens = shape.tokens(), bytes = storage.activation_bytes();
        const double q = query_width(split), kv = kv_width(split);
        const Dtype weights = matrix_dtype(storage.weights);
        operators.push_back(gemm_operator("qkv_projection", "_get_qkv", tokens, q + kv, hidden_, weights));
        operators.push_back(
            elementwise_operator("rope", "_get_qkv", tokens * (q + kv / 2) * bytes, tokens * (q + kv / 2) * bytes));
        operators.push_back(elementwise_operator("kv_write",
                                                 shape.prefill_tokens > 0 ? "_post_cache_kv" : "_pre_cache_kv",
                                                 tokens * kv * bytes, tokens * kv * bytes_per_value(storage.kv)));
        if (shape.prefill_tokens > 0) operators.push_back(prefill_attention(shape, split, storage));
        if (shape.decode_sequences > 0) operators.push_back(decode_attention(shape, split, storage));
        operators.push_back(gemm_operator("output_projection", "_get_o", tokens, hidden_, q, weights));
    }

  private:
    [[nodiscard]] int rank_heads(const Split& split) const { return heads_ / split.attention_ranks(); }
    [[nodiscard]] int rank_kv_heads(const Split& split) const {
        return std::max(1, kv_heads_ / split.attention_ranks());
    }
    /// Values of a token's queries, and of its key and value, on one rank.
    [[nodiscard]] double query_width(const Split& split) const {
        return static_cast<double>(rank_heads(split)) * head_dim_;
    }
    [[nodiscard]] double kv_width(const Split& split) const { return 2.0 * rank_kv_heads(split) * head_dim_; }
    [[nodiscard]] Operator attention(std::string_view name, std::string_view document_name, const Split& split,
                                     Storage storage) const {
        Operator op{.name = name, .document_name = document_name};
        op.arithmetic = activation_dtype(storage.weights);
        op.heads = rank_heads(split);
        op.kv_heads = rank_kv_heads(split);
        op.head_dim = op.value_dim = head_dim_;
        return op;
    }

    int hidden_, heads_, kv_heads_, head_dim_;
    bool qkv_bias_, output_bias_, qk_norm_, sinks_;
    std::optional<int> window_;
};

}  // namespace

void register_attention_gqa(Registry<BlockKind>& registry) {
    registry.add("attention_gqa", {.is_attention = true, .make = [](const Fields& fields, int hidden) {
                                       return std::make_unique<GroupedQueryAttention>(fields, hidden);
                                   }});
}

}  // namespace plimsoll
