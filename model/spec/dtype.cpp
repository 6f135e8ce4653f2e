#include "model/spec/dtype.hpp"

#include "model/base/error.hpp"

namespace plimsoll {

Dtype parse_dtype(std::string_view name, const std::string& place) {
    for (std::size_t i = 0; i < dtype_count; ++i)
        if (dtype_names[i] == name) return static_cast<Dtype>(i);
    throw InputError(place, unknown_name("dtype", name, {dtype_names.begin(), dtype_names.end()}));
}

}  // namespace plimsoll
