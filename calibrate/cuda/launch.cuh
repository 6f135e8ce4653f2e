#pragma once
#include <cstddef>

#include <cuda_runtime.h>

/// How kernels are started and where their dynamic shared memory is: the two things of the language itself that are no
/// C++. The host emulation of the kernels (tests/emulated_device) has a file of this name of its own.
namespace plimsoll::cuda {

struct Launch {
    dim3 grid, block;
    std::size_t shared_bytes = 0;
    cudaStream_t stream = nullptr;
};

template <class... Parameters, class... Arguments>
void start_kernel(void (*kernel)(Parameters...), const Launch& how, const Arguments&... arguments) {
    kernel<<<how.grid, how.block, how.shared_bytes, how.stream>>>(arguments...);
}

/// Of this block, at a multiple of 1024 bytes.
__device__ inline uint4* dynamic_shared() {
    extern __shared__ __align__(1024) uint4 dynamic_shared_memory[];
    return dynamic_shared_memory;
}

}  // namespace plimsoll::cuda
