#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "calibrate/import_text.hpp"

namespace plimsoll {

/// One measured step, or a prefill of several: a row of the tables of whole steps (docs/calibrate.md).
struct MeasuredStep {
    std::string place;
    std::string source = {};           ///< the tool
    std::string model = {}, gpu = {};  ///< names for the catalog
    std::string weights = {};          ///< a dtype, or empty: what the prediction is asked for
    bool prefill = true;
    double batch = 1;                       ///< sequences
    double prompt = 0;                      ///< tokens of each; prefill alone
    double context = 0;                     ///< tokens of each before the prompt, or read by a decode step in the mean
    double chunk = 0;                       ///< most tokens that are computed together; prefill alone
    double seconds = 0, deviation = 0;      ///< of the whole prefill, or of one decode step
    std::optional<double> gpu_layers = {};  ///< layers on the GPU; absent: all
};

[[nodiscard]] Csv step_table(const std::string& name);
void add_step(Csv& table, const MeasuredStep& step);

/// What llama.cpp calls a model, "qwen2 7B Q4_K - Medium", as the model and the dtype of this project, if it has one.
struct LlamaModel {
    std::string model, quantization;
    std::optional<std::string> weights;
};
[[nodiscard]] LlamaModel llama_model(std::string_view type);

/// The GPU of the "Device 0: NAME, ..." lines that llama.cpp logs; throws InputError for several, over which it would
/// have spread the layers.
[[nodiscard]] std::optional<std::string> llama_device(const MeasuredText& text);

/// How many prompt tokens llama.cpp computes together by default (-ub; tools/llama-bench/README.md).
inline constexpr double llama_ubatch = 512;
/// No step or prefill takes longer than an hour, s.
inline constexpr double longest_step = 3600;

}  // namespace plimsoll
