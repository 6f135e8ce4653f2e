#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "calibrate/sample.hpp"

namespace plimsoll::cuda {

/// The layers of a dense decoder with grouped heads and a gated feed-forward network.
struct DecoderShape {
    std::string name;
    std::int64_t layers = 0, hidden = 0, heads = 0, kv_heads = 0, head_dim = 0, inner = 0;
};

/// One step of `batch` sequences: whole prompts of `query` tokens (then query = kv), or one token each (query = 1)
/// after a cached context, kv tokens with it.
struct DecoderPoint {
    DecoderShape model;
    std::string dtype;  ///< "fp16" or "bf16"
    std::int64_t batch = 0, query = 0, kv = 0;
};

/// LLaMA-2-7B- and Llama-3-8B-like layers, decode and prefill, as far as the device's memory goes.
[[nodiscard]] std::vector<DecoderPoint> decoder_points(bool quick);
/// All layers without embedding and head, as one CUDA graph, each layer with weights and a cache of its own. error()
/// computes the whole step in double precision on the host: for a few small layers alone.
[[nodiscard]] std::unique_ptr<PreparedKernel> prepare_decoder_step(const DecoderPoint& point);

/// A kernel of the step as its own bench measures it, and how often it occurs.
struct DecoderPart {
    std::string bench;
    KernelPoint point;
    std::int64_t times = 0;
};
[[nodiscard]] std::vector<DecoderPart> decoder_parts(const DecoderPoint& point);

}  // namespace plimsoll::cuda
