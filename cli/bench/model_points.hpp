#pragma once
#include <string>
#include <vector>

#include "calibrate/sample.hpp"

namespace plimsoll {

/// The products in the layers of library models, undivided and over 2, 4 and 8 ranks, each weight shape once, for a
/// spread of tokens and for the dtypes. `models`: names, or "all"; `data_directory` has scenarios/library. Throws
/// InputError for an unknown name.
[[nodiscard]] std::vector<KernelPoint> model_products(const std::string& data_directory,
                                                      const std::vector<std::string>& models,
                                                      const std::vector<std::string>& dtypes);

}  // namespace plimsoll
