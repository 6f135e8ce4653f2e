#include "model/cost/architecture.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

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

Architecture::Architecture(const Transformer& model) : model_(&model) {
    for (const Transformer::Group& group : model.groups)
        groups_.push_back({group.layers, make_block(group.attention, true, model.hidden),
                           make_block(group.ffn, false, model.hidden)});
}

double Architecture::Group::matrix_bytes(const Split& split, Dtype weights) const {
    const auto experts = static_cast<double>(ffn->expert_parameters_per_rank(split));
    const auto all =
        static_cast<double>(attention->matrix_parameters_per_rank(split) + ffn->matrix_parameters_per_rank(split));
    return experts * bytes_per_value(weights) + (all - experts) * bytes_per_value(matrix_dtype(weights));
}

std::int64_t Architecture::embedding_parameters() const {
    return static_cast<std::int64_t>(model_->vocabulary) * model_->hidden;
}

/// Of one norm.
std::int64_t Architecture::norm_parameters() const {
    return std::int64_t{model_->hidden} * (model_->norm_biases ? 2 : 1);
}

std::int64_t Architecture::head_parameters() const {
    return (model_->tied_embeddings ? 0 : embedding_parameters()) + (model_->head_bias ? model_->vocabulary : 0);
}

std::int64_t Architecture::position_parameters() const {
    return static_cast<std::int64_t>(model_->learned_positions) * model_->hidden;
}

/// The tables beside the layers, and the norm after the last of them.
std::int64_t Architecture::outer_parameters() const {
    return embedding_parameters() + head_parameters() + norm_parameters() + position_parameters();
}

std::int64_t Architecture::parameters() const {
    std::int64_t sum = outer_parameters();
    for (const Group& group : groups_)
        sum += group.layers *
               (group.matrix_parameters() + group.other_parameters() + model_->norms_per_layer * norm_parameters());
    return sum;
}

std::int64_t Architecture::active_parameters() const {
    std::int64_t sum = outer_parameters();
    for (const Group& group : groups_)
        sum += group.layers * (group.attention->active_parameters() + group.ffn->active_parameters() +
                               model_->norms_per_layer * norm_parameters());
    return sum;
}

Bytes Architecture::weight_bytes(Dtype weights) const {
    double matrices = 0, bytes = 0;
    for (const Group& group : groups_) {
        matrices += static_cast<double>(group.matrix_parameters()) * group.layers;
        bytes += group.matrix_bytes({}, weights) * group.layers;
    }
    const auto rest = static_cast<double>(parameters()) - matrices;
    return Bytes(bytes + rest * bytes_per_value(activation_dtype(weights)));
}

int Architecture::layers_per_stage(Split split) const {
    return (model_->layers + split.pipeline - 1) / split.pipeline;
}

double Architecture::layers_per_stage(const Group& group, Split split) const {
    return layers_per_stage(split) * (static_cast<double>(group.layers) / model_->layers);
}

template <class Of>
double Architecture::fullest_stage(Split split, Of of) const {
    std::vector<std::pair<double, int>> kinds;
    for (const Group& group : groups_) kinds.emplace_back(of(group), group.layers);
    std::sort(kinds.begin(), kinds.end(), std::greater<>());
    double sum = 0;
    int left = layers_per_stage(split);
    for (const auto& [each, layers] : kinds) {
        const int here = std::min(left, layers);
        sum += each * here;
        left -= here;
    }
    return sum;
}

Bytes Architecture::weight_bytes_per_rank(Split split, Dtype weights) const {
    const double activation = bytes_per_value(activation_dtype(weights));
    const double layers = fullest_stage(split, [&](const Group& group) {
        const auto small = static_cast<double>(group.other_parameters() + model_->norms_per_layer * norm_parameters());
        return group.matrix_bytes(split, weights) + small * activation;
    });
    const double vocabulary_rows = share(model_->vocabulary, split.tensor) * model_->hidden;
    // One stage holds both tables; of several, the first holds one and the last the other (or a copy of a tied one).
    const double tables = split.pipeline == 1 && !model_->tied_embeddings ? 2.0 : 1.0;
    const double head_bias = model_->head_bias ? share(model_->vocabulary, split.tensor) : 0.0;
    const auto copied = static_cast<double>(norm_parameters() + position_parameters());
    return Bytes(layers + (tables * vocabulary_rows + head_bias + copied) * activation);
}

Bytes Architecture::kv_bytes_per_token(Dtype kv) const {
    return kv_bytes_per_token_per_rank({}, kv);
}

Bytes Architecture::kv_bytes_per_token_per_rank(Split split, Dtype kv) const {
    return Bytes(fullest_stage(split, [&](const Group& group) { return group.attention->kv_values_per_token(split); }) *
                 bytes_per_value(kv));
}

Bytes Architecture::activation_bytes(double tokens, double rows, Split split, Dtype weights) const {
    // Live at the widest point of a layer: residual stream, normed input, and the block's intermediate values;
    // logits are kept in fp32 for sampling.
    double widest = 0;
    for (const Group& group : groups_)
        widest = std::max({widest, group.attention->widest_activation(split), group.ffn->widest_activation(split)});
    return Bytes(tokens * (2.0 * model_->hidden + widest) * bytes_per_value(activation_dtype(weights)) +
                 rows * model_->vocabulary * 4.0);
}

std::optional<std::string> Architecture::refusal(Split split) const {
    if (split.pipeline > model_->layers)
        return std::to_string(split.pipeline) + " pipeline stages for " + std::to_string(model_->layers) + " layers";
    for (const Group& group : groups_) {
        if (auto why = group.attention->refusal(split)) return why;
        if (auto why = group.ffn->refusal(split)) return why;
    }
    return std::nullopt;
}

Operator Architecture::prefill_attention(std::size_t group, const StepShape& shape, Split split,
                                         Storage storage) const {
    Operator op = groups_[group].attention->prefill_attention(shape, split, storage);
    op.count *= layers_per_stage(groups_[group], split);
    return op;
}

Operator Architecture::decode_attention(std::size_t group, const StepShape& shape, Split split, Storage storage) const {
    Operator op = groups_[group].attention->decode_attention(shape, split, storage);
    op.count *= layers_per_stage(groups_[group], split);
    return op;
}

void Architecture::operators(const StepShape& shape, Split split, Storage storage,
                             std::vector<Operator>& operators) const {
    operators.clear();
    const double hidden = model_->hidden, tokens = shape.tokens(), bytes = storage.activation_bytes();
    const double stage_share = 1.0 / split.pipeline;
    // A norm adds the block's output to the residual stream: two rows read, two written.
    const double residual = 2 * tokens * hidden * bytes;
    const int norms = model_->norms_per_layer, attention_norms = (norms + 1) / 2;

    for (const Group& group : groups_) {
        const std::size_t first = operators.size();
        group.attention->add_operators(shape, split, storage, operators);
        group.ffn->add_operators(shape, split, storage, operators);
        operators.push_back(elementwise_operator("attention_norm", "_att_norm", residual, residual));
        operators.back().count = attention_norms;
        operators.push_back(elementwise_operator("ffn_norm", "_ffn_norm", residual, residual));
        operators.back().count = norms - attention_norms;
        for (std::size_t i = first; i < operators.size(); ++i) operators[i].count *= layers_per_stage(group, split);
    }

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
