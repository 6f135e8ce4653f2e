#include "cli/session.hpp"

#include <cerrno>
#include <filesystem>

#include "model/base/error.hpp"

namespace plimsoll {

Session::Session(const Environment& environment, std::vector<std::string> overlays)
    : directories_{environment.data_directory}, progress_(environment.progress ? environment.errors : nullptr) {
    directories_.insert(directories_.end(), overlays.begin(), overlays.end());
}

Catalog& Session::catalog() {
    namespace fs = std::filesystem;
    if (catalog_) return *catalog_;
    for (const std::string& directory : directories_) {
        std::error_code error;
        if (!fs::is_directory(directory, error)) throw EnvironmentError(directory, error ? error.value() : ENOTDIR);
        if (!fs::is_directory(fs::path(directory) / "hardware_db", error) &&
            !fs::is_directory(fs::path(directory) / "scenarios" / "library", error))
            throw InputError(directory,
                             "a data directory holds hardware_db/ or scenarios/library/; this one has neither");
    }
    catalog_ = std::make_unique<Catalog>(directories_);
    return *catalog_;
}

}  // namespace plimsoll
