#include "detect/xml.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "model/base/error.hpp"

namespace plimsoll {
namespace {

constexpr std::string_view blanks = " \t\r\n";

std::string_view trimmed(std::string_view text) {
    const std::size_t first = text.find_first_not_of(blanks), last = text.find_last_not_of(blanks);
    return first == text.npos ? std::string_view() : text.substr(first, last - first + 1);
}

class Reader {
  public:
    Reader(std::string_view text, const std::string& place) : text_(text), place_(place) {}

    XmlElement document() {
        XmlElement outside = content(0);
        if (outside.children.size() != 1 || !outside.text.empty()) fail("expected one XML element");
        return std::move(outside.children.front());
    }

  private:
    static constexpr int deepest = 64;  // nvidia-smi nests eight deep

    [[noreturn]] void fail(const std::string& message) const {
        const auto line = 1 + std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(at_), '\n');
        throw InputError(fmt::format("{}:{}", place_, line), message);
    }

    /// What stands before `end`, which is passed as well.
    std::string_view up_to(std::string_view end, std::string_view what) {
        const std::size_t found = text_.find(end, at_);
        if (found == text_.npos) {
            at_ = text_.size();
            fail(fmt::format("the text ends within {}; is the file complete?", what));
        }
        const std::string_view inside = text_.substr(at_, found - at_);
        at_ = found + end.size();
        return inside;
    }

    bool skipped() {
        using Bracket = std::pair<std::string_view, std::string_view>;
        for (const auto& [begin, end] : std::array{Bracket{"<!--", "-->"}, Bracket{"<?", "?>"}, Bracket{"<!", ">"}}) {
            if (!text_.substr(at_).starts_with(begin)) continue;
            static_cast<void>(up_to(end, "a declaration"));
            return true;
        }
        return false;
    }

    /// Text and elements until the next closing tag or the end.
    XmlElement content(int depth) {
        if (depth > deepest) fail("elements nest too deep");
        XmlElement element;
        while (at_ < text_.size() && !text_.substr(at_).starts_with("</")) {
            if (text_[at_] != '<') {
                const std::size_t next = std::min(text_.find('<', at_), text_.size());
                element.text += plain(text_.substr(at_, next - at_));
                at_ = next;
            } else if (!skipped()) {
                element.children.push_back(tagged(depth));
            }
        }
        element.text = trimmed(element.text);
        return element;
    }

    XmlElement tagged(int depth) {
        ++at_;
        std::string_view tag = up_to(">", "a tag");
        const bool empty = tag.ends_with('/');
        if (empty) tag.remove_suffix(1);
        const std::string_view name = tag.substr(0, tag.find_first_of(blanks));
        if (name.empty()) fail("a tag without a name");
        XmlElement element;
        if (!empty) {
            element = content(depth + 1);
            if (at_ >= text_.size())
                fail(fmt::format("the text ends within <{}>; is the file complete?", std::string(name)));
            at_ += 2;
            if (trimmed(up_to(">", "a tag")) != name) fail(fmt::format("expected </{}>", std::string(name)));
        }
        element.name = name;
        return element;
    }

    static std::string plain(std::string_view text) {
        using Entity = std::pair<std::string_view, char>;
        std::string result;
        for (std::size_t i = 0; i < text.size(); ++i) {
            result += text[i];
            if (text[i] != '&') continue;
            for (const auto& [entity, letter] :
                 std::array{Entity{"&amp;", '&'}, Entity{"&lt;", '<'}, Entity{"&gt;", '>'}, Entity{"&quot;", '"'},
                            Entity{"&apos;", '\''}}) {
                if (!text.substr(i).starts_with(entity)) continue;
                result.back() = letter;
                i += entity.size() - 1;
                break;
            }
        }
        return result;
    }

    std::string_view text_;
    const std::string& place_;
    std::size_t at_ = 0;
};

}  // namespace

const XmlElement* XmlElement::child(std::string_view wanted) const {
    const auto found =
        std::find_if(children.begin(), children.end(), [&](const auto& one) { return one.name == wanted; });
    return found == children.end() ? nullptr : &*found;
}

std::string_view XmlElement::text_at(std::string_view path) const {
    const std::size_t slash = path.find('/');
    const XmlElement* found = child(path.substr(0, slash));
    if (!found) return {};
    return slash == path.npos ? std::string_view(found->text) : found->text_at(path.substr(slash + 1));
}

XmlElement parse_xml(std::string_view text, const std::string& place) {
    return Reader(text, place).document();
}

}  // namespace plimsoll
