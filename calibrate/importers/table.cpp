#include "calibrate/import_text.hpp"

namespace plimsoll {
namespace {

/// Any line with commas that begins neither JSON nor a comment may be the header of a table.
Likeness likeness(std::string_view text) {
    text = trimmed(text.substr(text.starts_with("\xEF\xBB\xBF") ? 3 : 0));
    if (text.empty()) return Likeness::some;  // So that an empty file is told to be one.
    const std::string_view first = text.substr(0, text.find('\n'));
    return first.find_first_of("{[#|") == 0 || first.find(',') == std::string_view::npos ? Likeness::none
                                                                                         : Likeness::some;
}

Imported read(const MeasuredText& text, const GivenColumns&) {
    return {Csv::from_text(text.text, text.name), {}};
}

}  // namespace

void register_table(Registry<Importer>& registry) {
    registry.add("table", {.description = "CSV with the columns of docs/calibrate.md or of validate",
                           .gives = {MeasuredKind::kernels, MeasuredKind::serving, MeasuredKind::steps},
                           .takes = {},
                           .likeness = likeness,
                           .read = read});
}

}  // namespace plimsoll
