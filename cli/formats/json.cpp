#include <nlohmann/json.hpp>

#include "cli/format.hpp"

namespace plimsoll {
namespace {

using Json = nlohmann::ordered_json;

Json to_json(const Cell& cell) {
    if (const auto* truth = std::get_if<bool>(&cell.value)) return *truth;
    if (const auto* text = std::get_if<std::string>(&cell.value)) return *text;
    if (const auto* texts = std::get_if<std::vector<std::string>>(&cell.value)) return *texts;
    if (!cell.is_number()) return nullptr;
    const double number = std::get<double>(cell.value);
    constexpr double exact = 9007199254740992.0;
    if (cell.kind == Kind::count && number > -exact && number < exact) return static_cast<std::int64_t>(number);
    return number;
}

/// The value at a dotted path, made where it is missing.
Json& at(Json& object, const std::string& path) {
    Json* place = &object;
    std::size_t from = 0;
    for (std::size_t dot = path.find('.'); dot != path.npos; dot = path.find('.', from)) {
        place = &(*place)[path.substr(from, dot - from)];
        from = dot + 1;
    }
    return (*place)[path.substr(from)];
}

struct JsonWriter {
    Json root = Json::object();

    void operator()(const Paragraph& paragraph) {
        if (!paragraph.key.empty()) root[paragraph.key] = paragraph.text;
    }
    void operator()(const Bullets& bullets) {
        if (!bullets.key.empty()) root[bullets.key] = bullets.lines;
    }
    void operator()(const Facts& facts) {
        Json& object = facts.key.empty() ? root : at(root, facts.key);
        for (const auto& fact : facts.facts)
            if (!fact.key.empty()) at(object, fact.key) = to_json(fact.cell);
    }
    void operator()(const Table& table) {
        if (table.key.empty()) return;
        Json rows = Json::array();
        for (const Row& row : table.rows) {
            Json object = Json::object();
            for (std::size_t i = 0; i < row.size(); ++i) {
                const std::string& key = table.columns[i].key;
                if (key.empty()) continue;
                at(object, key) = to_json(row[i]);
                if (row[i].change) at(object, "change." + key) = *row[i].change;
            }
            rows.push_back(std::move(object));
        }
        at(root, table.key) = std::move(rows);
    }
    void operator()(const RawJson& raw) { root[raw.key] = Json::parse(raw.text, nullptr, false); }
    void operator()(const Verbatim& verbatim) { root[verbatim.key] = verbatim.text; }
};

std::string write(const Document& document, std::size_t) {
    JsonWriter writer;
    for (const Item& item : document.items) std::visit(writer, item);
    return writer.root.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

void register_json(Registry<Format>& registry) {
    registry.add("json", {.summary = "everything, units in the keys, unknown values null (docs/json.md)",
                          .provenance = true,
                          .write = write});
}

}  // namespace plimsoll
