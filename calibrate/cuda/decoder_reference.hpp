#pragma once
#include <cstdint>
#include <vector>

#include "calibrate/cuda/decoder_step.hpp"

namespace plimsoll::cuda {

/// Weights and cache of one layer as numbers; matrices are [out, in].
struct LayerValues {
    std::vector<double> qkv, o, gate_up, down, first_norm, second_norm;
    std::vector<double> keys, values;  ///< [batch, kv, kv_heads, head_dim]; of a prefill they are not read
};

/// What leaves the layers (residual and last output together), [batch x query, hidden], given what enters them.
[[nodiscard]] std::vector<double> decoder_reference(const DecoderPoint& point, const std::vector<LayerValues>& layers,
                                                    std::vector<double> x);

}  // namespace plimsoll::cuda
