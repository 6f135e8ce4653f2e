#include "model/cost/architecture.hpp"

#include <algorithm>
#include <cmath>

namespace plimsoll {
namespace {

std::unique_ptr<Block> make_block(const Fields& fields, bool attention, int hidden) {
    const std::string kind = fields.string("kind");
    const BlockKind& found = block_kinds().at((attention ? "attention_" : "ffn_") + kind,
                                              attention ? "attention kind" : "FFN kind", fields.place("kind"));
    return found.make(fields, hidden);
}

/// The vocabulary is padded to whole rows a rank.
double share(double whole, int ranks) {
    return std::ceil(whole / ranks);
}

}  // namespace

Architecture::Architecture(const Transformer& model)
    : model_(&model),
      attention_(make_block(model.attention, true, model.hidden)),
      ffn_(make_block(model.ffn, false, model.hidden)) {}

std::int64_t Architecture::embedding_parameters() const {
    return static_cast<std::int64_t>(model_->vocabulary) * model_->hidden;
}

std::int64_t Architecture::head_parameters() const {
    return model_->tied_embeddings ? 0 : embedding_parameters();
}

std::int64_t Architecture::parameters() const {
    const std::int64_t layer = attention_->matrix_parameters() + attention_->other_parameters() +
                               ffn_->matrix_parameters() + ffn_->other_parameters() +
                               static_cast<std::int64_t>(model_->norms_per_layer) * model_->hidden;
    return layer * model_->layers + embedding_parameters() + head_parameters() + model_->hidden;
}

Bytes Architecture::weight_bytes(Dtype weights) const {
    const auto matrices =
        static_cast<double>(attention_->matrix_parameters() + ffn_->matrix_parameters()) * model_->layers;
    const auto rest = static_cast<double>(parameters()) - matrices;
    return Bytes(matrices * bytes_per_value(weights) + rest * bytes_per_value(activation_dtype(weights)));
}

int Architecture::layers_per_stage(Split split) const {
    return (model_->layers + split.pipeline - 1) / split.pipeline;
}

Bytes Architecture::weight_bytes_per_rank(Split split, Dtype weights) const {
    const int layers = layers_per_stage(split);
    const auto matrices = static_cast<double>(attention_->matrix_parameters_per_rank(split.tensor) +
                                              ffn_->matrix_parameters_per_rank(split.tensor));
    const auto small = static_cast<double>(attention_->other_parameters() + ffn_->other_parameters() +
                                           static_cast<std::int64_t>(model_->norms_per_layer) * model_->hidden);
    const double vocabulary_rows = share(model_->vocabulary, split.tensor) * model_->hidden;
    // One stage holds both tables; of several, the first holds one and the last the other (or a copy of a tied one).
    const double tables = split.pipeline == 1 && !model_->tied_embeddings ? 2.0 : 1.0;
    return Bytes(layers * matrices * bytes_per_value(weights) +
                 (layers * small + tables * vocabulary_rows + model_->hidden) *
                     bytes_per_value(activation_dtype(weights)));
}

Bytes Architecture::kv_bytes_per_token(Dtype kv) const {
    return Bytes(attention_->kv_values_per_token(1) * model_->layers * bytes_per_value(kv));
}

Bytes Architecture::kv_bytes_per_token_per_rank(Split split, Dtype kv) const {
    return Bytes(attention_->kv_values_per_token(split.tensor) * layers_per_stage(split) * bytes_per_value(kv));
}

Bytes Architecture::activation_bytes(double tokens, double rows, Split split, Dtype weights) const {
    // Live at the widest point of a layer: residual stream, normed input, and the block's intermediate values;
    // logits are kept in fp32 for sampling.
    const double widest = std::max(attention_->widest_activation(split.tensor), ffn_->widest_activation(split.tensor));
    return Bytes(tokens * (2.0 * model_->hidden + widest) * bytes_per_value(activation_dtype(weights)) +
                 rows * model_->vocabulary * 4.0);
}

std::optional<std::string> Architecture::refusal(Split split) const {
    if (split.pipeline > model_->layers)
        return std::to_string(split.pipeline) + " pipeline stages for " + std::to_string(model_->layers) + " layers";
    if (auto why = attention_->refusal(split.tensor)) return why;
    return ffn_->refusal(split.tensor);
}

Operator Architecture::prefill_attention(const StepShape& shape, Split split, Storage storage) const {
    Operator op = attention_->prefill_attention(shape, split.tensor, storage);
    op.count *= layers_per_stage(split);
    return op;
}

void Architecture::operators(const StepShape& shape, Split split, Storage storage,
                             std::vector<Operator>& operators) const {
    operators.clear();
    const double hidden = model_->hidden, tokens = shape.tokens(), bytes = storage.activation_bytes();
    const double layers = layers_per_stage(split), stage_share = 1.0 / split.pipeline;

    attention_->add_operators(shape, split.tensor, storage, operators);
    ffn_->add_operators(shape, split.tensor, storage, operators);
    // A norm adds the block's output to the residual stream: two rows read, two written.
    const double residual = 2 * tokens * hidden * bytes;
    const int norms = model_->norms_per_layer, attention_norms = (norms + 1) / 2;
    operators.push_back(elementwise_operator("attention_norm", "_att_norm", residual, residual));
    operators.back().count = attention_norms;
    operators.push_back(elementwise_operator("ffn_norm", "_ffn_norm", residual, residual));
    operators.back().count = norms - attention_norms;
    for (Operator& op : operators) op.count *= layers;

    const double rows = shape.rows(), vocabulary = share(model_->vocabulary, split.tensor);
    operators.push_back(
        elementwise_operator("embedding", "embedding", tokens * hidden * bytes, tokens * hidden * bytes));
    operators.back().count = stage_share;
    operators.push_back(elementwise_operator("final_norm", "_ffn_norm", residual, residual));
    operators.back().count = stage_share;
    const std::size_t first = operators.size();
    operators.push_back(
        elementwise_operator("last_positions", "get_last_input", rows * hidden * bytes, rows * hidden * bytes));
    operators.push_back(
        gemm_operator("lm_head", "logits", rows, vocabulary, hidden, activation_dtype(storage.weights)));
    operators.push_back(elementwise_operator("sampling", "logits", rows * model_->vocabulary * 4.0, rows * 8.0));
    for (std::size_t i = first; i < operators.size(); ++i) {
        operators[i].count = stage_share;
        operators[i].by_rows = true;
    }
}

}  // namespace plimsoll
