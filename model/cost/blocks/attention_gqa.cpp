#include "model/cost/block.hpp"

namespace plimsoll {
namespace {

/// Multi-head and grouped-query attention with rotary positions and a full causal window.
class GroupedQueryAttention final : public Block {
  public:
    GroupedQueryAttention(const Fields& fields, int hidden)
        : hidden_(hidden),
          heads_(static_cast<int>(fields.integer("heads", {1, 1e5}))),
          kv_heads_(static_cast<int>(fields.integer("kv_heads", {1, 1e5}))),
          head_dim_(static_cast<int>(fields.integer("head_dim", {1, 1e5}))),
          qkv_bias_(fields.boolean_or("qkv_bias", false)),
          output_bias_(fields.boolean_or("output_bias", false)),
          qk_norm_(fields.boolean_or("qk_norm", false)) {
        if (heads_ % kv_heads_ != 0) fields.fail("kv_heads", "must divide 'heads'");
        fields.finish();
    }

    [[nodiscard]] std::int64_t matrix_parameters() const override {
        return std::int64_t{hidden_} * head_dim_ * (2 * heads_ + 2 * kv_heads_);
    }
    [[nodiscard]] std::int64_t other_parameters() const override {
        return (qkv_bias_ ? std::int64_t{head_dim_} * (heads_ + 2 * kv_heads_) : 0) + (output_bias_ ? hidden_ : 0) +
               (qk_norm_ ? 2 * head_dim_ : 0);
    }
    [[nodiscard]] std::int64_t matrix_parameters_per_rank(int tensor) const override {
        return std::int64_t{hidden_} * head_dim_ * (2 * rank_heads(tensor) + 2 * rank_kv_heads(tensor));
    }
    [[nodiscard]] double kv_values_per_token(int tensor) const override {
        return 2.0 * rank_kv_heads(tensor) * head_dim_;
    }
    [[nodiscard]] double widest_activation(int tensor) const override {
        return static_cast<double>(head_dim_) * (2 * rank_heads(tensor) + 2 * rank_kv_heads(tensor));
    }
    [[nodiscard]] std::optional<std::string> refusal(int tensor) const override {
        if (heads_ % tensor != 0)
            return std::to_string(tensor) + " ranks do not divide " + std::to_string(heads_) + " attention heads";
        if (kv_heads_ % tensor != 0 && tensor % kv_heads_ != 0)
            return std::to_string(tensor) + " ranks neither divide nor are a multiple of " + std::to_string(kv_heads_) +
                   " KV heads";
        return std::nullopt;
    }

    [[nodiscard]] Operator prefill_attention(const StepShape& shape, int tensor, Storage storage) const override {
        const double bytes = storage.activation_bytes(), kv_bytes = bytes_per_value(storage.kv);
        const double q = static_cast<double>(rank_heads(tensor)) * head_dim_;
        const double kv = 2.0 * rank_kv_heads(tensor) * head_dim_;
        Operator op = attention("prefill_attention", "_context_attention_kernel", tensor, storage);
        op.kind = OperatorKind::prefill_attention;
        op.sequences = shape.prefill_sequences;
        op.m = shape.prefill_tokens;
        op.pairs = shape.attention_pairs;
        op.work.flop = Flop(4.0 * op.pairs * q);
        // The last query of a chunk of q sees all keys, the mean one (q - 1) / 2 fewer.
        const double query = op.m / op.sequences;
        const double keys = op.sequences * (op.pairs / op.m + (query - 1.0) / 2.0);
        op.work.bytes_read = Bytes(op.m * q * bytes + keys * kv * kv_bytes);
        op.work.bytes_written = Bytes(op.m * q * bytes);
        return op;
    }

    void add_operators(const StepShape& shape, int tensor, Storage storage,
                       std::vector<Operator>& operators) const override {
        const double tokens = shape.tokens(), bytes = storage.activation_bytes();
        const double q = static_cast<double>(rank_heads(tensor)) * head_dim_;
        const double kv = 2.0 * rank_kv_heads(tensor) * head_dim_;
        const double kv_bytes = bytes_per_value(storage.kv);
        operators.push_back(gemm_operator("qkv_projection", "_get_qkv", tokens, q + kv, hidden_, storage.weights));
        operators.push_back(
            elementwise_operator("rope", "_get_qkv", tokens * (q + kv / 2) * bytes, tokens * (q + kv / 2) * bytes));
        operators.push_back(elementwise_operator("kv_write",
                                                 shape.prefill_tokens > 0 ? "_post_cache_kv" : "_pre_cache_kv",
                                                 tokens * kv * bytes, tokens * kv * kv_bytes));
        if (shape.prefill_tokens > 0) operators.push_back(prefill_attention(shape, tensor, storage));
        if (shape.decode_sequences > 0) {
            Operator op = attention("decode_attention", "_token_attention_kernel", tensor, storage);
            op.kind = OperatorKind::decode_attention;
            op.sequences = shape.decode_sequences;
            op.m = shape.decode_sequences;
            op.pairs = shape.context_tokens;
            op.work.flop = Flop(4.0 * op.pairs * q);
            op.work.bytes_read = Bytes(shape.context_tokens * kv * kv_bytes + op.m * q * bytes);
            op.work.bytes_written = Bytes(op.m * q * bytes);
            operators.push_back(op);
        }
        operators.push_back(gemm_operator("output_projection", "_get_o", tokens, hidden_, q, storage.weights));
    }

  private:
    [[nodiscard]] int rank_heads(int tensor) const { return heads_ / tensor; }
    [[nodiscard]] int rank_kv_heads(int tensor) const { return kv_heads_ > tensor ? kv_heads_ / tensor : 1; }
    [[nodiscard]] Operator attention(std::string_view name, std::string_view document_name, int tensor,
                                     Storage storage) const {
        Operator op{.name = name, .document_name = document_name};
        op.arithmetic = activation_dtype(storage.weights);
        op.heads = rank_heads(tensor);
        op.kv_heads = rank_kv_heads(tensor);
        op.head_dim = head_dim_;
        return op;
    }

    int hidden_, heads_, kv_heads_, head_dim_;
    bool qkv_bias_, output_bias_, qk_norm_;
};

}  // namespace

void register_attention_gqa(Registry<BlockKind>& registry) {
    registry.add("attention_gqa", {.is_attention = true, .make = [](const Fields& fields, int hidden) {
                                       return std::make_unique<GroupedQueryAttention>(fields, hidden);
                                   }});
}

}  // namespace plimsoll
