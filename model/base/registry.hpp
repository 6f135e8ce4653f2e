#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/base/error.hpp"

namespace plimsoll {

/// The plug-ins of one seam by name, in the order of their file names. CMake lists the folder of a seam and generates
/// the function that fills its registry; each plug-in file `name.cpp` defines `void register_<name>(Registry<T>&)`.
template <class T>
class Registry {
  public:
    void add(std::string name, T entry) {
        PLIMSOLL_ASSERT(find(name) == nullptr);
        entries_.emplace_back(std::move(name), std::move(entry));
    }

    [[nodiscard]] const T* find(std::string_view name) const {
        for (const auto& [known, entry] : entries_)
            if (known == name) return &entry;
        return nullptr;
    }

    /// The entry of that name; throws InputError at `place`, naming the `kind` and the known names.
    [[nodiscard]] const T& at(std::string_view name, std::string_view kind, const std::string& place) const {
        if (const T* entry = find(name)) return *entry;
        throw InputError(place, unknown_name(kind, name, names()));
    }

    [[nodiscard]] std::vector<std::string> names() const {
        std::vector<std::string> result;
        for (const auto& entry : entries_) result.push_back(entry.first);
        return result;
    }

    [[nodiscard]] auto begin() const { return entries_.begin(); }
    [[nodiscard]] auto end() const { return entries_.end(); }

  private:
    std::vector<std::pair<std::string, T>> entries_;
};

}  // namespace plimsoll
