#include "calibrate/import_steps.hpp"

#include <cctype>

#include <fmt/format.h>

#include "model/base/error.hpp"

namespace plimsoll {
namespace {

/// llama.cpp's names of file types (llama_model_ftype_name) that have a dtype here.
struct FileType {
    std::string_view name, dtype;
};
constexpr FileType file_types[] = {{"all F32", "fp32"},
                                   {"F32", "fp32"},
                                   {"F16", "fp16"},
                                   {"BF16", "bf16"},
                                   {"Q8_0", "q8-0"},
                                   {"Q6_K", "q6-k"},
                                   {"Q5_K - Medium", "q5-k-m"},
                                   {"Q4_K - Medium", "q4-k-m"},
                                   {"MXFP4 MoE", "mxfp4"}};

/// Whether a word begins a file type.
bool begins_file_type(std::string_view word) {
    if (word == "all" || word == "F16" || word == "F32" || word == "BF16" || word.starts_with("MXFP4")) return true;
    const std::size_t q = word.find('Q');
    return q != std::string_view::npos && q <= 1 && q + 1 < word.size() &&
           std::isdigit(static_cast<unsigned char>(word[q + 1])) != 0;
}

std::string text_or_empty(const std::optional<double>& value) {
    return value ? number_text(*value) : std::string();
}

}  // namespace

Csv step_table(const std::string& name) {
    return Csv::with_columns({"source", "model", "weights_dtype", "gpu", "tp", "phase", "batch", "prompt_tokens",
                              "context_tokens", "chunk_tokens", "gpu_layers", "seconds", "deviation_s"},
                             name);
}

void add_step(Csv& table, const MeasuredStep& step) {
    const std::string none;
    table.add_row(step.place,
                  {step.source, step.model, step.weights, step.gpu, "1", step.prefill ? "prefill" : "decode",
                   number_text(step.batch), step.prefill ? number_text(step.prompt) : none, number_text(step.context),
                   step.prefill ? number_text(step.chunk) : none, text_or_empty(step.gpu_layers),
                   number_text(step.seconds), number_text(step.deviation)});
}

LlamaModel llama_model(std::string_view type) {
    LlamaModel result;
    bool file_type = false;
    for (const std::string_view word : words_of(type)) {
        if (word == "mostly") continue;  // As older releases wrote it.
        file_type = file_type || begins_file_type(word);
        std::string& part = file_type ? result.quantization : result.model;
        part += (part.empty() ? "" : " ") + std::string(word);
    }
    for (const FileType& known : file_types)
        if (known.name == result.quantization) result.weights = std::string(known.dtype);
    return result;
}

std::optional<std::string> llama_device(const MeasuredText& text) {
    std::optional<std::string> found;
    const std::vector<std::string_view> lines = lines_of(text.text);
    for (std::size_t i = 0; i < lines.size(); ++i) {
        const std::string_view line = trimmed(lines[i]);
        if (!line.starts_with("Device ")) continue;
        const std::size_t colon = line.find(": ");
        if (colon == std::string_view::npos) continue;
        if (found && !line.starts_with("Device 0:"))
            throw InputError(fmt::format("{}:{}", text.name, i + 1),
                             "several GPUs: llama.cpp spreads the layers over them, which is not compared; measure on "
                             "one (CUDA_VISIBLE_DEVICES)");
        found = std::string(line.substr(colon + 2, line.find(',') - colon - 2));
    }
    return found;
}

}  // namespace plimsoll
