#include "calibrate/importer.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "model/base/error.hpp"
#include "model/base/text_file.hpp"

namespace plimsoll {
namespace {

std::string all_forms() {
    std::string forms;
    for (const auto& [name, importer] : importers())
        forms += fmt::format("{}{} ({})", forms.empty() ? "" : "; ", name, importer.description);
    return forms;
}

std::pair<std::string, const Importer*> importer_for(const MeasuredText& text, const std::string& name) {
    if (!name.empty()) return {name, &importers().at(name, "importer", "--importer")};
    std::pair<std::string, const Importer*> best;
    Likeness most = Likeness::none;
    for (const auto& [known, importer] : importers())
        if (const Likeness likeness = importer.likeness(text.text); likeness > most) {
            most = likeness;
            best = {known, &importer};
        }
    if (best.second == nullptr)
        throw InputError(text.name, "looks like the output of no known tool; known: " + all_forms());
    return best;
}

std::string joined(const std::vector<MeasuredKind>& kinds) {
    std::string text;
    for (const MeasuredKind kind : kinds) text += (text.empty() ? "" : " or ") + std::string(to_string(kind));
    return text;
}

bool holds(const std::vector<MeasuredKind>& kinds, MeasuredKind kind) {
    return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

}  // namespace

std::string_view to_string(MeasuredKind measured) {
    switch (measured) {
        case MeasuredKind::kernels:
            return "kernels";
        case MeasuredKind::serving:
            return "serving runs";
        case MeasuredKind::steps:
            return "whole steps";
    }
    return "";
}

GivenColumns parse_given_columns(const std::vector<std::string>& texts) {
    GivenColumns given;
    for (const std::string& text : texts) {
        const std::size_t at = text.find('=');
        if (at == std::string::npos || at == 0 || at + 1 == text.size())
            throw InputError("--column", in_quotes(text) + " is not NAME=VALUE");
        if (!given.emplace(text.substr(0, at), text.substr(at + 1)).second)
            throw InputError("--column", in_quotes(text.substr(0, at)) + " is given twice");
    }
    return given;
}

std::optional<MeasuredKind> measured_by(const Csv& table) {
    if (table.has("phase") && table.has("seconds")) return MeasuredKind::steps;
    if (table.has("ttft_s") || table.has("tpot_s")) return MeasuredKind::serving;
    if (table.has("seconds")) return MeasuredKind::kernels;
    return std::nullopt;
}

Imported import_text(const MeasuredText& text, const ImportChoice& choice, const std::vector<MeasuredKind>& wanted) {
    const auto [name, importer] = importer_for(text, choice.importer);
    if (std::none_of(wanted.begin(), wanted.end(),
                     [&, i = importer](MeasuredKind kind) { return holds(i->gives, kind); }))
        throw InputError(text.name,
                         fmt::format("{} gives {}; {} are needed here", name, joined(importer->gives), joined(wanted)));
    for (const auto& given : choice.given)
        if (const auto& takes = importer->takes; std::find(takes.begin(), takes.end(), given.first) == takes.end())
            throw InputError("--column", takes.empty()
                                             ? fmt::format("{} takes none: its columns stand in the file", name)
                                             : unknown_name("column", given.first, takes));
    Imported imported = importer->read(text, choice.given);
    if (const auto kind = measured_by(imported.table); kind && !holds(wanted, *kind))
        throw InputError(text.name,
                         fmt::format("its columns are of {}; {} are needed here", to_string(*kind), joined(wanted)));
    return imported;
}

Imported import_file(const std::string& path, const ImportChoice& choice, const std::vector<MeasuredKind>& wanted) {
    return import_text({path, text_of_file(path)}, choice, wanted);
}

}  // namespace plimsoll
