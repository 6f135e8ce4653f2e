#include "scenarios/terms.hpp"

namespace plimsoll {

Speculation read_speculation(const Fields& fields, Catalog& catalog) {
    // More drafted tokens than any engine's default; each costs a pass of the draft.
    constexpr double most_tokens = 64;
    Speculation result;
    const bool of_model = fields.choice("kind", {"mtp", "draft"}) == 1;
    if (of_model) result.draft = &catalog.models.at(fields.string("model"), fields.place("model"));
    if (!of_model && given(fields, "model"))
        fields.fail("model", "of kind 'mtp' the model drafts for itself; a draft model is of kind 'draft'");
    result.tokens = static_cast<int>(fields.integer("tokens", {0, most_tokens}));
    result.acceptance = fields.number("acceptance", {0, 1});
    if (given(fields, "source")) static_cast<void>(fields.string("source"));
    fields.finish();
    return result;
}

}  // namespace plimsoll
