#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace plimsoll {

/// One element of a document: its own text without the blanks at both ends, and its elements in order. Attributes are
/// left out.
struct XmlElement {
    std::string name, text;
    std::vector<XmlElement> children;

    /// The first element of that name; null if there is none.
    [[nodiscard]] const XmlElement* child(std::string_view wanted) const;
    /// The text of the first element along a path such as "pci/pcie_gen/max_link_gen"; empty if there is none.
    [[nodiscard]] std::string_view text_at(std::string_view path) const;
};

/// Reads what tools print as XML: elements, text, the five named entities; declarations, comments and document types
/// are passed over. Throws InputError with the line at `place` for a document that ends early or does not nest.
[[nodiscard]] XmlElement parse_xml(std::string_view text, const std::string& place);

}  // namespace plimsoll
