#pragma once
#include <memory>

#include "model/cost/block.hpp"
#include "model/spec/transformer.hpp"

namespace plimsoll {

/// A model with its blocks made: parameter counts, cache sizes and the operators of a step.
class Architecture {
  public:
    /// Throws InputError for an unknown block kind or a bad field of a block.
    explicit Architecture(const Transformer& model);

    [[nodiscard]] const Transformer& model() const { return *model_; }
    [[nodiscard]] std::int64_t parameters() const;
    /// Bytes of all weights: matrices in the weight dtype, embedding, LM head and norms in the activation dtype.
    [[nodiscard]] Bytes weight_bytes(Dtype weights) const;
    /// Weights on the fullest rank: the first or last stage also holds the embedding or the LM head.
    [[nodiscard]] Bytes weight_bytes_per_rank(Split split, Dtype weights) const;
    [[nodiscard]] Bytes kv_bytes_per_token(Dtype kv) const;
    /// KV bytes of one token on the fullest rank; KV heads are replicated when there are more ranks than heads.
    [[nodiscard]] Bytes kv_bytes_per_token_per_rank(Split split, Dtype kv) const;
    /// Largest live activations of a step on one rank.
    [[nodiscard]] Bytes activation_bytes(double tokens, double rows, Split split, Dtype weights) const;
    /// Layers of the fullest pipeline stage.
    [[nodiscard]] int layers_per_stage(Split split) const;
    /// Why the model cannot be split so, if so.
    [[nodiscard]] std::optional<std::string> refusal(Split split) const;

    /// Replaces `operators` by those of one step on one rank: the decoder layers of the fullest stage, with embedding
    /// and LM head (whose cost is spread over the stages), without messages (see parallelism.hpp).
    void operators(const StepShape& shape, Split split, Storage storage, std::vector<Operator>& operators) const;

    /// The attention over a step's prompts, as `operators` would give it.
    [[nodiscard]] Operator prefill_attention(const StepShape& shape, Split split, Storage storage) const;

  private:
    [[nodiscard]] std::int64_t embedding_parameters() const;
    [[nodiscard]] std::int64_t head_parameters() const;
    const Transformer* model_;
    std::unique_ptr<Block> attention_;
    std::unique_ptr<Block> ffn_;
};

}  // namespace plimsoll
