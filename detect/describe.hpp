#pragma once
#include <map>
#include <string>
#include <vector>

#include "detect/machine.hpp"
#include "model/spec/catalog.hpp"

namespace plimsoll {

/// A machine as data files that `--data` reads.
struct Description {
    std::string node;  ///< name of the node
    std::string gpu;   ///< name of its GPU, or of the processor that stands for one
    int gpus = 1;
    std::map<std::string, std::string> files;  ///< by path in a data directory
    std::vector<std::string> to_fill_in;       ///< fields of a file that no tool tells: until then it is refused
    std::vector<std::string> notes;
};

/// Looks the GPUs up in the catalog, takes what no tool tells from the most similar node there (marked estimated), and
/// writes what is new. `name`: of the node; made of GPU and count where it is empty. `origin`: what was read and when.
/// Throws InputError for GPUs of several kinds and for a name that no entry may have.
[[nodiscard]] Description describe(const Machine& machine, Catalog& catalog, const std::string& name,
                                   const std::string& origin);

}  // namespace plimsoll
