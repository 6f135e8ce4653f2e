#include <algorithm>
#include <limits>
#include <string>
#include <unordered_set>

#include <nlohmann/json.hpp>

#include "model/base/error.hpp"
#include "model/base/fields_node.hpp"

namespace plimsoll::detail {

namespace {

using Kind = JsonValue::Kind;

/// Keeps a hostile file of 16 MiB from taking gigabytes as a tree.
constexpr std::size_t most_values = 1'000'000;

/// "file:line:column" of a byte, both counted from 1 and the column in bytes.
std::string position_in(std::string_view text, std::size_t offset, const std::string& name) {
    std::size_t line = 1;
    std::size_t line_start = 0;
    for (std::size_t i = 0; i < offset && i < text.size(); ++i) {
        if (text[i] != '\n') continue;
        ++line;
        line_start = i + 1;
    }
    return name + ":" + std::to_string(line) + ":" + std::to_string(offset - line_start + 1);
}

/// The length of the UTF-8 sequence at the front of the text, 0 where there is none (Unicode 15, table 3-7).
std::size_t utf8_length(std::string_view text) {
    const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
    const unsigned first = byte(0);
    if (first < 0x80U) return 1;
    const std::size_t length = first >= 0xC2U && first <= 0xDFU   ? 2
                               : first >= 0xE0U && first <= 0xEFU ? 3
                               : first >= 0xF0U && first <= 0xF4U ? 4
                                                                  : 0;
    for (std::size_t i = 1; i < length; ++i)
        if ((byte(i) & 0xC0U) != 0x80U) return 0;
    const unsigned second = byte(1);
    const bool overlong = (first == 0xE0U && second < 0xA0U) || (first == 0xF0U && second < 0x90U);
    const bool surrogate = first == 0xEDU && second > 0x9FU;
    const bool beyond = first == 0xF4U && second > 0x8FU;
    return overlong || surrogate || beyond ? 0 : length;
}

void refuse_bad_bytes(std::string_view text, const std::string& name) {
    if (text.size() > most_bytes) throw InputError(name, "the file is larger than 16 MiB");
    for (std::size_t i = 0; i < text.size();) {
        const std::size_t length = utf8_length(text.substr(i));
        if (length == 0) throw InputError(position_in(text, i, name), "this byte is not UTF-8");
        if (text[i] == '\0') throw InputError(position_in(text, i, name), "a NUL byte does not belong in JSON");
        i += length;
    }
    if (text.find_first_not_of(" \t\r\n") == std::string_view::npos)
        throw InputError(position_in(text, 0, name), "the file is empty; expected a JSON object");
}

struct Token {
    std::size_t start;
    std::string_view text;
};

bool in_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
           c == '+' || c == '-';
}

/// The string that ends at the byte, or the word or number that holds it, or else the one character there.
/// `after_word`: the byte may be the one on which the lexer gave up a word or number that stands before it.
Token token_around(std::string_view text, std::size_t offset, bool after_word) {
    if (text[offset] == '"') {
        const std::size_t opening = offset == 0 ? std::string_view::npos : text.rfind('"', offset - 1);
        const std::size_t start = opening == std::string_view::npos ? offset : opening;
        return {start, text.substr(start, offset - start + 1)};
    }
    std::size_t start = offset;
    if (in_word(text[offset]) || after_word)
        while (start > 0 && in_word(text[start - 1])) --start;
    std::size_t end = offset;
    while (end < text.size() && in_word(text[end])) ++end;
    if (start == end) end += std::max<std::size_t>(1, utf8_length(text.substr(offset)));
    return {start, text.substr(start, end - start)};
}

/// Builds the tree from the parser's events. Throws where the rules of this reader are stricter than JSON.
class TreeBuilder final : public nlohmann::json::json_sax_t {
  public:
    TreeBuilder(std::string_view text, const std::string& name)
        : text_(text), name_(name), file_(std::make_shared<const std::string>(name)) {}

    [[nodiscard]] JsonHandle root() const { return root_; }

    bool null() override {
        add(Kind::null);
        return true;
    }
    bool boolean(bool value) override {
        add(Kind::boolean)->truth = value;
        return true;
    }
    bool number_integer(number_integer_t value) override {
        const JsonHandle added = add(Kind::integer);
        added->whole = value;
        added->number = static_cast<double>(value);
        return true;
    }
    bool number_unsigned(number_unsigned_t value) override {
        if (value <= static_cast<number_unsigned_t>(std::numeric_limits<number_integer_t>::max()))
            return number_integer(static_cast<number_integer_t>(value));
        add(Kind::number)->number = static_cast<double>(value);
        return true;
    }
    bool number_float(number_float_t value, const string_t& /*text*/) override {
        add(Kind::number)->number = value;
        return true;
    }
    bool string(string_t& value) override {
        add(Kind::text)->text = std::move(value);
        return true;
    }
    bool binary(binary_t& /*value*/) override { PLIMSOLL_ASSERT(false && "JSON text has no binary values"); }

    bool start_object(std::size_t /*size*/) override { return open(Kind::object); }
    bool start_array(std::size_t /*size*/) override { return open(Kind::list); }
    bool end_object() override { return close(); }
    bool end_array() override { return close(); }

    bool key(string_t& value) override {
        Level& level = levels_.back();
        if (!level.keys.insert(value).second)
            throw InputError(place_of(name_, pointer()), "the key " + in_quotes(value) + " stands twice");
        level.key = std::move(value);
        return true;
    }

    bool parse_error(std::size_t position, const std::string& token, const nlohmann::detail::exception& error) override;

  private:
    /// An open object or list: its node, the keys so far and the key whose value is awaited.
    struct Level {
        JsonHandle node;
        std::unordered_set<std::string> keys;
        std::string key;
    };

    JsonHandle add(Kind kind) {
        if (++values_ > most_values) throw InputError(name_, "the file holds more than 1000000 values");
        auto node = std::make_shared<JsonValue>();
        node->kind = kind;
        node->file = file_;
        if (levels_.empty())
            root_ = node;
        else
            levels_.back().node->members.emplace_back(std::move(levels_.back().key), node);
        return node;
    }

    bool open(Kind kind) {
        if (levels_.size() >= most_levels)
            throw InputError(place_of(name_, pointer()), "nested more than 64 levels deep");
        JsonHandle node = add(kind);
        levels_.push_back({std::move(node), {}, {}});
        return true;
    }

    bool close() {
        levels_.pop_back();
        return true;
    }

    /// The pointer of the innermost open object or list.
    [[nodiscard]] std::string pointer() const {
        std::string result;
        for (std::size_t i = 0; i + 1 < levels_.size(); ++i) {
            const JsonValue& parent = *levels_[i].node;
            result = pointer_to(result, parent.kind == Kind::list ? std::to_string(parent.members.size() - 1)
                                                                  : parent.members.back().first);
        }
        return result;
    }

    std::string_view text_;
    const std::string& name_;
    std::shared_ptr<const std::string> file_;
    JsonHandle root_;
    std::vector<Level> levels_;
    std::size_t values_ = 0;
};

/// What JSON allows at the point where the parser stopped; it names the rule that it was in.
std::string expected_by(std::string_view what) {
    const auto within = [what](std::string_view rule) { return what.find(rule) != std::string_view::npos; };
    if (within("while parsing object key")) return "expected a key in double quotes";
    if (within("while parsing object separator")) return "expected ':'";
    if (within("while parsing object -")) return "expected ',' or '}'";
    if (within("while parsing array -")) return "expected ',' or ']'";
    return "expected a JSON value";
}

bool TreeBuilder::parse_error(std::size_t position, const std::string& /*token*/,
                              const nlohmann::detail::exception& error) {
    const std::string_view what = error.what();
    const bool inside = !levels_.empty();
    // `position` counts the bytes read; reading the end of the text counts as one.
    if (position > text_.size() || what.find("unexpected end of input") != std::string_view::npos)
        throw InputError(position_in(text_, text_.size(), name_),
                         !inside ? "the text ends too early"
                         : levels_.back().node->kind == Kind::object
                             ? "the text ends before an object is closed; '}' is missing"
                             : "the text ends before a list is closed; ']' is missing");
    const std::size_t last = position == 0 ? 0 : position - 1;
    // Inside a string the lexer says it best: "... - invalid string: missing closing quote; last read: ...".
    const std::size_t reason = what.find("invalid string: ");
    if (reason != std::string_view::npos)
        throw InputError(position_in(text_, last, name_),
                         std::string(what.substr(reason, what.find("; last read", reason) - reason)));
    const bool gave_up =
        what.find("invalid literal") != std::string_view::npos || what.find("invalid number") != std::string_view::npos;
    const auto [start, token] = token_around(text_, last, gave_up);
    const std::string place = position_in(text_, start, name_);
    constexpr int out_of_range = 406;
    if (error.id == out_of_range) throw InputError(place, "the number " + in_quotes(token) + " is too large");
    throw InputError(place, (root_ != nullptr && !inside ? "expected nothing after the JSON" : expected_by(what)) +
                                ", got " + in_quotes(token));
}

}  // namespace

JsonHandle parse_json(std::string_view text, const std::string& name) {
    refuse_bad_bytes(text, name);
    TreeBuilder builder(text, name);
    const bool complete = nlohmann::json::sax_parse(text.begin(), text.end(), &builder);
    PLIMSOLL_ASSERT(complete && builder.root() != nullptr);
    return builder.root();
}

}  // namespace plimsoll::detail
