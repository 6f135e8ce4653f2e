#include "cli/format.hpp"
#include "cli/text_layout.hpp"
#include "cli/words.hpp"

namespace plimsoll {
namespace {

/// Text for a terminal.
struct TableWriter {
    std::size_t width;
    std::string text = {};
    std::vector<std::string> dropped = {};

    void block(const std::string& title, const std::string& body) {
        if (!text.empty()) text += "\n";
        if (!title.empty())
            for (const std::string& line : wrap(title, width)) text += line + "\n";
        text += body;
    }
    void operator()(const Paragraph& paragraph) {
        if (!paragraph.shown || paragraph.text.empty()) return;
        std::string body;
        for (const std::string& line : wrap(paragraph.text, width)) body += line + "\n";
        block("", body);
    }
    void operator()(const Bullets& bullets) {
        if (!bullets.shown || bullets.lines.empty()) return;
        std::string body;
        for (const std::string& bullet : bullets.lines) {
            bool first = true;
            for (const std::string& line : wrap(bullet, width > 14 ? width - 2 : 12)) {
                body += (first ? "- " : "  ") + line + "\n";
                first = false;
            }
        }
        block(bullets.title, body);
    }
    void operator()(const Facts& facts) {
        const std::string body = layout_facts(facts, width);
        if (!body.empty()) block(facts.title, body);
    }
    void operator()(const Table& table) {
        if (table.shown && !table.rows.empty()) block(table.title, layout_table(table, width, dropped));
    }
    void operator()(const RawJson&) {}
    void operator()(const Verbatim& verbatim) { text += verbatim.text; }
    void name_dropped() {
        if (dropped.empty()) return;
        std::string note = "Not shown for want of width (see --width): ";
        for (const std::string& title : dropped) note += (&title == &dropped.front() ? "" : ", ") + title;
        (*this)(Paragraph{note + "."});
    }
};

}  // namespace

void register_table(Registry<Format>& registry) {
    registry.add("table", {.summary = "text for a terminal, in the width that it has",
                           .write = [](const Document& document, std::size_t width) {
                               TableWriter writer{width};
                               for (const Item& item : document.items) std::visit(writer, item);
                               writer.name_dropped();
                               return writer.text;
                           }});
}

}  // namespace plimsoll
