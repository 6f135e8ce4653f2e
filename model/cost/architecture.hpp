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
    /// Parameters that one token uses: all but the experts that it is not sent to.
    [[nodiscard]] std::int64_t active_parameters() const;
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

    /// Kinds of layers.
    [[nodiscard]] std::size_t groups() const { return groups_.size(); }
    /// The attention of one kind of layer over a step's prompts, as `operators` would give it.
    [[nodiscard]] Operator prefill_attention(std::size_t group, const StepShape& shape, Split split,
                                             Storage storage) const;
    /// The same of its decodes.
    [[nodiscard]] Operator decode_attention(std::size_t group, const StepShape& shape, Split split,
                                            Storage storage) const;
    /// The last tokens that one kind of layer attends to and keeps, where these are not all.
    [[nodiscard]] std::optional<int> window(std::size_t group) const { return groups_[group].attention->window(); }

  private:
    struct Group {
        int layers;
        std::unique_ptr<Block> attention;
        std::unique_ptr<Block> ffn;

        [[nodiscard]] std::int64_t matrix_parameters() const {
            return attention->matrix_parameters() + ffn->matrix_parameters();
        }
        [[nodiscard]] std::int64_t other_parameters() const {
            return attention->other_parameters() + ffn->other_parameters();
        }
        /// Bytes of the matrices of one layer on the fullest rank.
        [[nodiscard]] double matrix_bytes(const Split& split, Dtype weights) const;
    };
    [[nodiscard]] std::int64_t embedding_parameters() const;
    [[nodiscard]] std::int64_t norm_parameters() const;
    [[nodiscard]] std::int64_t head_parameters() const;
    [[nodiscard]] std::int64_t position_parameters() const;
    [[nodiscard]] std::int64_t outer_parameters() const;
    /// Layers of a kind in a stage, an even share of them.
    [[nodiscard]] double layers_per_stage(const Group& group, Split split) const;
    /// Sum over the layers of the fullest stage, heaviest kinds first, of `of(group)`.
    template <class Of>
    [[nodiscard]] double fullest_stage(Split split, Of of) const;
    const Transformer* model_;
    std::vector<Group> groups_;
};

}  // namespace plimsoll
