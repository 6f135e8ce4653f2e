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
    /// Parameters of the modules that predict further tokens, which no other count holds: each a layer of the last
    /// kind, a matrix that joins the hidden state with the embedding, and a norm for each and for the head, which they
    /// share with the model (DeepSeek-V3 README_WEIGHTS.md). Engines load them for speculative decoding only.
    [[nodiscard]] std::int64_t prediction_parameters() const;
    /// Bytes of all weights: matrices in the weight dtype, embedding, LM head and norms in the activation dtype.
    [[nodiscard]] Bytes weight_bytes(Dtype weights) const;
    /// Weights on the fullest rank: the first or last stage also holds the embedding or the LM head.
    [[nodiscard]] Bytes weight_bytes_per_rank(Split split, Dtype weights) const;
    /// What kernels add to experts on the fullest rank that fill up the model's width and the expert's to multiples.
    [[nodiscard]] Bytes filling_per_rank(Split split, Dtype weights, int hidden_multiple, int width_multiple) const;
    [[nodiscard]] Bytes kv_bytes_per_token(Dtype kv) const;
    /// KV bytes of one token of the instance on the fullest rank: KV heads are replicated when there are more ranks
    /// than heads; attention groups hold their own requests' tokens only, a share of all.
    [[nodiscard]] Bytes kv_bytes_per_token_per_rank(Split split, Dtype kv) const;
    /// Largest live activations of a step on one rank: in its layers, or in sampling of `rows` with so many bytes a
    /// word of the vocabulary, which every rank does in full; beside it stand the experts' buffers where they are kept.
    [[nodiscard]] Bytes activation_bytes(double tokens, double rows, Split split, Dtype weights,
                                         double sampler_bytes = 4.0, bool experts_kept = false) const;
    /// The KV cache of one kind of layer.
    struct KvKind {
        int layers = 0;
        double values = 0;          ///< of one token and layer, on one rank
        std::optional<int> window;  ///< the last tokens that it needs, where not all
    };
    [[nodiscard]] std::vector<KvKind> kv_kinds(Split split) const;
    /// Layers of the fullest pipeline stage.
    [[nodiscard]] int layers_per_stage(Split split) const;
    /// Of these, the ones with experts, an even share of them.
    [[nodiscard]] double expert_layers_per_stage(Split split) const;
    /// Copies of a step's tokens that the fullest rank takes from the others where tokens are sent to their experts,
    /// summed over the layers of a stage.
    [[nodiscard]] double received_copies(double tokens, Split split) const;
    /// Whether even two tensor ranks hold the same KV values (latent attention, one KV head).
    [[nodiscard]] bool ranks_copy_kv() const;
    /// Why the model cannot be split so, if so.
    [[nodiscard]] std::optional<std::string> refusal(Split split) const;

    /// Replaces `operators` by those of one step on one rank: the decoder layers of the fullest stage, with embedding
    /// and LM head (whose cost is spread over the stages), without messages (see parallelism.hpp).
    void operators(const StepShape& shape, Split split, Storage storage, std::vector<Operator>& operators) const;

    /// Kinds of layers.
    [[nodiscard]] std::size_t groups() const { return groups_.size(); }
    /// The attention of one kind of layer over the prompts that the rank's group has of a step (see part_of), as
    /// `operators` would give it.
    [[nodiscard]] Operator prefill_attention(std::size_t group, const StepShape& own, Split split,
                                             Storage storage) const;
    /// The same of its decodes.
    [[nodiscard]] Operator decode_attention(std::size_t group, const StepShape& own, Split split,
                                            Storage storage) const;
    /// The keys and values that ranks which divide a context send each other before they attend to the cached part of
    /// it in a prompt: each the ones that it keeps. A prompt without a past needs none: each rank computes its own.
    [[nodiscard]] Operator gathered_context(std::size_t group, const StepShape& own, Split split,
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
    /// Of the matrix and the norms that a module which predicts a further token has beside its layer.
    [[nodiscard]] std::int64_t joining_parameters() const;
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
