#pragma once
#include <map>
#include <string>

namespace plimsoll {

/// Writes files of a folder by their path in it; folders on the way are made. Each file is whole or absent. Throws
/// EnvironmentError for what cannot be made or written.
void write_files(const std::string& folder, const std::map<std::string, std::string>& files);
/// Makes a folder and proves that files can be written there, before long work is done for them.
void prepare_folder(const std::string& folder);

}  // namespace plimsoll
