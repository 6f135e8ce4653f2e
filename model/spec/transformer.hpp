#pragma once
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/base/fields.hpp"
#include "model/spec/dtype.hpp"

namespace plimsoll {

/// A decoder-only model. What its attention and FFN blocks are is read by the block kinds of model/cost/blocks.
struct Transformer {
    std::string name;
    std::vector<std::string> aliases;
    /// Layers of one kind. Where a model has several kinds their order is not kept: a pipeline stage has its share of
    /// each.
    struct Group {
        int layers = 0;
        Fields attention;  ///< `kind` and what that block kind reads
        Fields ffn;
    };
    int layers = 0;
    int hidden = 0;
    int vocabulary = 0;
    int max_context = 0;  ///< tokens, prompt + output
    bool tied_embeddings = false;
    int norms_per_layer = 2;
    bool norm_biases = false;   ///< norms have a bias beside their weight (LayerNorm)
    bool head_bias = false;     ///< the LM head has a bias a token of the vocabulary
    int learned_positions = 0;  ///< rows of a table of positions, as wide as the model; 0: positions are computed
    Dtype native_dtype = Dtype::fp16;
    int prediction_layers =
        0;  ///< modules that predict further tokens (multi-token prediction), which drafts alone use
    /// Whether it is such a module: tables shared with its model, whose hidden state it joins with the embedding.
    bool joins_hidden_state = false;
    std::optional<std::int64_t> published_parameters;
    std::vector<Group> groups;  ///< at least one; their layers sum to `layers`

    /// Whether tokens of some layers are sent to experts.
    [[nodiscard]] bool has_experts() const {
        return std::any_of(groups.begin(), groups.end(), [](const Group& group) { return group.ffn.has("experts"); });
    }
};

/// An entry of our own format, or the config.json of a published model.
[[nodiscard]] Transformer read_model(const Fields& fields);
[[nodiscard]] Transformer read_transformer(const Fields& fields);

}  // namespace plimsoll
