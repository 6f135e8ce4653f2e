#pragma once
#include <cstddef>

#include <cuda_runtime_api.h>

namespace plimsoll::cuda {

struct Launch {
    dim3 grid, block;
    std::size_t shared_bytes = 0;
    cudaStream_t stream = nullptr;
};

/// Runs it to its end, on the limits of compute capability 9.0.
template <class... Parameters, class... Arguments>
void start_kernel(void (*kernel)(Parameters...), const Launch& how, const Arguments&... arguments) {
    const bool fits = how.shared_bytes <= allowed_shared_bytes(kernel) && how.shared_bytes <= (227U << 10);
    const unsigned threads = how.block.x * how.block.y * how.block.z;
    if (!fits || threads == 0 || threads > 1024 || how.grid.x == 0 || how.grid.y == 0 || how.grid.z == 0 ||
        how.grid.y > 65535 || how.grid.z > 65535) {
        emulated_error = cudaErrorInvalidValue;
        return;
    }
    emulated::run_grid({how.grid.x, how.grid.y, how.grid.z}, {how.block.x, how.block.y, how.block.z}, how.shared_bytes,
                       [&] { kernel(arguments...); });
}

inline uint4* dynamic_shared() {
    return static_cast<uint4*>(emulated::shared_memory());
}

}  // namespace plimsoll::cuda
