#pragma once
#include <string>

#include "detect/entry_text.hpp"
#include "detect/wiring.hpp"
#include "model/spec/catalog.hpp"

namespace plimsoll {

/// The node of the catalog with this GPU whose count is nearest; null where there is none.
[[nodiscard]] const Node* similar_node(Catalog& catalog, const std::string& gpu, int gpus);
/// Its measured collectives, where as many GPUs are joined in the same way; nothing otherwise.
void add_collectives(const Node& similar, const Wiring& wiring, int gpus, EntryText& entry);
/// Host power and speed: those of a similar node of as many GPUs, or a guess by the number of GPUs.
void add_host(const Node* similar, int gpus, EntryText& entry);

}  // namespace plimsoll
