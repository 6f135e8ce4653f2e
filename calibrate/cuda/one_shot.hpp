#pragma once
#include <cstddef>

#include <cuda_runtime_api.h>

#include "calibrate/cuda/device.hpp"

namespace plimsoll::cuda {

/// An all-reduce in which every rank reads the data of all the others through peer access and sums them itself: one
/// step of latency, ranks - 1 times the traffic, so the choice for small messages.
struct OneShot {
    static constexpr int most_ranks = 8, most_blocks = 32;

    const void* inputs[most_ranks] = {};
    void* outputs[most_ranks] = {};
    unsigned* flags[most_ranks] = {};  ///< flag_words() words in the memory of each rank, 0 before the first call
    std::size_t count = 0;             ///< elements of each input, a multiple of 8
    int ranks = 0;

    [[nodiscard]] static constexpr std::size_t flag_words() { return most_blocks * (2 * most_ranks + 1); }
};

/// The part of `here` ranks from `first` on, which share the current device: 1 where each has a device of its own.
/// fp16 or bf16. A rank whose peers do not come within two seconds stops with an error of the device.
void one_shot_all_reduce(Dtype dtype, const OneShot& exchange, int first, int here, cudaStream_t stream);

}  // namespace plimsoll::cuda
