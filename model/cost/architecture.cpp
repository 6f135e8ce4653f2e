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

std::int64_t Architecture::joining_parameters() const {
    return 2 * std::int64_t{model_->hidden} * model_->hidden + 3 * norm_parameters();
}

std::int64_t Architecture::prediction_parameters() const {
    const Group& last = groups_.back();
    const std::int64_t layer =
        last.matrix_parameters() + last.other_parameters() + model_->norms_per_layer * norm_parameters();
    return model_->prediction_layers * (layer + joining_parameters());
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

double Architecture::expert_layers_per_stage(Split split) const {
    double layers = 0;
    for (const Group& group : groups_)
        if (group.ffn->expert_parameters_per_rank({}) > 0) layers += layers_per_stage(group, split);
    return layers;
}

double Architecture::received_copies(double tokens, Split split) const {
    double copies = 0;
    for (const Group& group : groups_)
        copies += group.ffn->received_copies(tokens, split) * layers_per_stage(group, split);
    return copies;
}

bool Architecture::ranks_copy_kv() const {
    return std::any_of(groups_.begin(), groups_.end(), [](const Group& group) {
        return group.attention->kv_values_per_token({.tensor = 2}) == group.attention->kv_values_per_token({});
    });
}

Bytes Architecture::filling_per_rank(Split split, Dtype weights, int hidden_multiple, int width_multiple) const {
    return Bytes(fullest_stage(split, [&](const Group& group) {
        const auto experts = static_cast<double>(group.ffn->expert_parameters_per_rank(split));
        const double filled = group.ffn->filled_expert_parameters(split, hidden_multiple, width_multiple);
        return (filled - experts) * bytes_per_value(weights);
    }));
}

Bytes Architecture::weight_bytes_per_rank(Split split, Dtype weights) const {
    const double activation = bytes_per_value(activation_dtype(weights));
    const double layers = fullest_stage(split, [&](const Group& group) {
        const auto small = static_cast<double>(group.other_parameters() + model_->norms_per_layer * norm_parameters());
        return group.matrix_bytes(split, weights) + small * activation;
    });
    if (model_->joins_hidden_state) return Bytes(layers + static_cast<double>(joining_parameters()) * activation);
    const double vocabulary_rows = share(model_->vocabulary, split.attention_ranks()) * model_->hidden;
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
                 bytes_per_value(kv) / split.attention_data);
}

std::vector<Architecture::KvKind> Architecture::kv_kinds(Split split) const {
    std::vector<KvKind> kinds;
    for (const Group& group : groups_)
        kinds.push_back({group.layers, group.attention->kv_values_per_token(split), group.attention->window()});
    return kinds;
}

Bytes Architecture::activation_bytes(double tokens, double rows, Split split, Dtype weights, double sampler_bytes,
                                     bool experts_kept) const {
    // Live at the widest point of a layer: residual stream, the block's input before and after its norm, and its
    // intermediate values; when the layers are done, the last hidden states and what sampling needs.
    double widest = 0, kept = 0;
    for (const Group& group : groups_) {
        widest = std::max({widest, group.attention->widest_activation(split), group.ffn->widest_activation(split)});
        if (experts_kept) kept = std::max(kept, group.ffn->expert_workspace(split));
    }
    const double bytes = bytes_per_value(activation_dtype(weights)), hidden = model_->hidden;
    return Bytes(std::max(tokens * (3.0 * hidden + widest) * bytes,
                          tokens * (hidden + kept) * bytes + rows * model_->vocabulary * sampler_bytes));
}

std::optional<std::string> Architecture::refusal(Split split) const {
    if (split.pipeline > model_->layers)
        return std::to_string(split.pipeline) + " pipeline stages for " + std::to_string(model_->layers) + " layers";
    if (auto why = division_refusal(split)) return why;
    if (split.expert > 1 && expert_layers_per_stage({}) == 0) return "the model has no experts to divide";
    for (const Group& group : groups_) {
        if (auto why = group.attention->refusal(split)) return why;
        if (auto why = group.ffn->refusal(split)) return why;
    }
    return std::nullopt;
}

Operator Architecture::prefill_attention(std::size_t group, const StepShape& own, Split split, Storage storage) const {
    Operator op = groups_[group].attention->prefill_attention(own, split, storage);
    op.count *= layers_per_stage(groups_[group], split);
    return op;
}

Operator Architecture::decode_attention(std::size_t group, const StepShape& own, Split split, Storage storage) const {
    Operator op = groups_[group].attention->decode_attention(own, split, storage);
    op.count *= layers_per_stage(groups_[group], split);
    return op;
}

Operator Architecture::gathered_context(std::size_t group, const StepShape& own, Split split, Storage storage) const {
    Operator op{.name = "context_gather", .document_name = "all_gather", .kind = OperatorKind::all_gather};
    op.follows = Follows::own_prompts;
    op.ranks = split.context;
    const double past =
        own.attention_pairs - causal_pairs(own.prefill_tokens / own.prefill_sequences, 0) * own.prefill_sequences;
    double tokens = past / own.prefill_tokens * own.prefill_sequences;
    if (const auto seen = window(group)) tokens = std::min(tokens, own.prefill_sequences * *seen);
    op.work.message =
        Bytes(tokens * groups_[group].attention->kv_values_per_token(split) * bytes_per_value(storage.kv));
    op.count = tokens > 1e-6 ? layers_per_stage(groups_[group], split) : 0.0;
    return op;
}

void Architecture::operators(const StepShape& shape, Split split, Storage storage,
                             std::vector<Operator>& operators) const {
    operators.clear();
    const StepShape own = part_of(shape, split.attention_data);
    const double hidden = model_->hidden, tokens = own.tokens(), bytes = storage.activation_bytes();
    const auto follow = [&](std::size_t from, Follows what) {
        for (std::size_t i = from; i < operators.size(); ++i)
            if (operators[i].follows == Follows::tokens) operators[i].follows = what;
    };
    const double stage_share = 1.0 / split.pipeline;
    // A norm adds the block's output to the residual stream: two rows read, two written.
    const double residual = 2 * tokens * hidden * bytes;
    const int norms = model_->norms_per_layer, attention_norms = (norms + 1) / 2;

    for (const Group& group : groups_) {
        const std::size_t first = operators.size();
        group.attention->add_operators(own, split, storage, operators);
        follow(first, Follows::own_tokens);
        group.ffn->add_operators(shape, split, storage, operators);
        operators.push_back(elementwise_operator("attention_norm", "_att_norm", residual, residual));
        operators.back().count = attention_norms;
        operators.back().follows = Follows::own_tokens;
        operators.push_back(elementwise_operator("ffn_norm", "_ffn_norm", residual, residual));
        operators.back().count = norms - attention_norms;
        operators.back().follows = Follows::own_tokens;
        for (std::size_t i = first; i < operators.size(); ++i) operators[i].count *= layers_per_stage(group, split);
    }

    const double rows = own.rows(), vocabulary = share(model_->vocabulary, split.attention_ranks());
    const std::size_t outside = operators.size();
    operators.push_back(
        elementwise_operator("embedding", "embedding", tokens * hidden * bytes, tokens * hidden * bytes));
    operators.back().count = stage_share;
    if (model_->joins_hidden_state)
        operators.push_back(
            gemm_operator("joined_hidden_state", "", tokens, hidden, 2.0 * hidden, activation_dtype(storage.weights)));
    operators.push_back(elementwise_operator("final_norm", "_ffn_norm", residual, residual));
    operators.back().count = stage_share;
    follow(outside, Follows::own_tokens);
    const std::size_t head = operators.size();
    operators.push_back(
        elementwise_operator("last_positions", "get_last_input", rows * hidden * bytes, rows * hidden * bytes));
    operators.push_back(
        gemm_operator("lm_head", "logits", rows, vocabulary, hidden, activation_dtype(storage.weights)));
    operators.push_back(elementwise_operator("sampling", "logits", rows * model_->vocabulary * 4.0, rows * 8.0));
    for (std::size_t i = head; i < operators.size(); ++i) operators[i].count = stage_share;
    follow(head, Follows::own_rows);
}

}  // namespace plimsoll
