#include "model/spec/transformer.hpp"

#include "model/spec/sources.hpp"

namespace plimsoll {

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
                      .native_dtype = parse_dtype(fields.string("native_dtype"), fields.place("native_dtype")),
                      .published_parameters = std::nullopt,
                      .attention = fields.object("attention"),
                      .ffn = fields.object("ffn")};
    if (fields.has("published_parameters"))
        model.published_parameters = fields.integer("published_parameters", {1, 1e14});
    const Fields sources = fields.object("sources");
    for (const std::string& key : sources.keys()) static_cast<void>(sources.string(key));
    fields.finish();
    return model;
}

}  // namespace plimsoll
