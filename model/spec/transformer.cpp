#include "model/spec/transformer.hpp"

#include "model/spec/hugging_face.hpp"
#include "model/spec/sources.hpp"

namespace plimsoll {

namespace {

/// `groups`, each with what differs from the model's own attention and FFN; absent: one group of all layers.
void read_groups(const Fields& fields, Transformer& model) {
    const Fields attention = fields.object("attention"), ffn = fields.object("ffn");
    if (!fields.has("groups")) {
        model.groups.push_back({model.layers, attention, ffn});
        return;
    }
    int layers = 0;
    for (const Fields& group : fields.objects("groups")) {
        model.groups.push_back({static_cast<int>(group.integer("layers", {1, 10000})),
                                group.has("attention") ? group.object("attention") : attention,
                                group.has("ffn") ? group.object("ffn") : ffn});
        layers += model.groups.back().layers;
        group.finish();
    }
    if (layers != model.layers)
        fields.fail("groups", "hold " + std::to_string(layers) + " of " + std::to_string(model.layers) + " layers");
}

}  // namespace

Transformer read_model(const Fields& fields) {
    if (!fields.has("schema") && !fields.has("model_type"))
        fields.fail("", "no model: neither an entry of ours, with a 'schema', nor a config.json, with a 'model_type'");
    return read_transformer(is_hugging_face_config(fields) ? entry_of_config(fields) : fields);
}

Transformer read_transformer(const Fields& fields) {
    EntryHead head = read_head(fields, "model");
    constexpr Range count{1, 1e7};
    Transformer model{.name = std::move(head.name),
                      .aliases = std::move(head.aliases),
                      .layers = static_cast<int>(fields.integer("layers", {1, 10000})),
                      .hidden = static_cast<int>(fields.integer("hidden", {1, 1e6})),
                      .vocabulary = static_cast<int>(fields.integer("vocabulary", count)),
                      .max_context = static_cast<int>(fields.integer("max_context", {1, 1e9})),
                      .tied_embeddings = fields.boolean("tied_embeddings"),
                      .norms_per_layer = static_cast<int>(fields.integer_or("norms_per_layer", 2, {0, 16})),
                      .norm_biases = fields.boolean_or("norm_biases", false),
                      .head_bias = fields.boolean_or("head_bias", false),
                      .learned_positions = static_cast<int>(fields.integer_or("learned_positions", 0, {0, 1e9})),
                      .native_dtype = parse_dtype(fields.string("native_dtype"), fields.place("native_dtype")),
                      .prediction_layers = static_cast<int>(fields.integer_or("prediction_layers", 0, {0, 100})),
                      .joins_hidden_state = false,
                      .published_parameters = std::nullopt,
                      .groups = {}};
    read_groups(fields, model);
    if (fields.has("published_parameters"))
        model.published_parameters = fields.integer("published_parameters", {1, 1e14});
    const Fields sources = fields.object("sources");
    for (const std::string& key : sources.keys()) static_cast<void>(sources.string(key));
    fields.finish();
    return model;
}

}  // namespace plimsoll
