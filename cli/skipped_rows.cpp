#include "cli/skipped_rows.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "model/base/error.hpp"

namespace plimsoll {
namespace {

std::size_t column_of(const Table& table, std::string_view key) {
    const auto found =
        std::find_if(table.columns.begin(), table.columns.end(), [&](const Column& c) { return c.key == key; });
    PLIMSOLL_ASSERT(found != table.columns.end());
    return static_cast<std::size_t>(found - table.columns.begin());
}

struct Reason {
    std::string text, first_place;
    int rows = 0;
};

/// The most frequent first.
std::vector<Reason> reasons_of(const Table& rows) {
    const std::size_t why = column_of(rows, "skipped"), where = column_of(rows, "place");
    std::vector<Reason> reasons;
    for (const Row& row : rows.rows) {
        if (!row[why].known()) continue;
        const std::string text = to_text(row[why]);
        auto found = std::find_if(reasons.begin(), reasons.end(), [&](const Reason& r) { return r.text == text; });
        if (found == reasons.end()) found = reasons.insert(found, {text, to_text(row[where])});
        ++found->rows;
    }
    std::stable_sort(reasons.begin(), reasons.end(), [](const Reason& a, const Reason& b) { return a.rows > b.rows; });
    return reasons;
}

}  // namespace

void add_judged_rows(Table rows, std::vector<Item>& items) {
    const std::size_t why = column_of(rows, "skipped");
    Table judged = rows;
    judged.key.clear();
    judged.rows.erase(
        std::remove_if(judged.rows.begin(), judged.rows.end(), [&](const Row& row) { return row[why].known(); }),
        judged.rows.end());
    const std::size_t skipped = rows.rows.size() - judged.rows.size();
    Bullets bullets{"", fmt::format("Skipped: {} of {} rows", skipped, rows.rows.size()), {}};
    for (const Reason& reason : reasons_of(rows))
        bullets.lines.push_back(fmt::format("{} ({}{}): {}", plural(reason.rows, "row"),
                                            reason.rows > 1 ? "the first " : "", reason.first_place, reason.text));
    rows.shown = false;
    items.emplace_back(std::move(rows));
    items.emplace_back(std::move(judged));
    items.emplace_back(std::move(bullets));
}

}  // namespace plimsoll
