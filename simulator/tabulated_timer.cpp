#include "simulator/tabulated_timer.hpp"

#include <algorithm>
#include <cmath>

#include "model/base/csv.hpp"
#include "model/base/error.hpp"

namespace plimsoll {
namespace {

constexpr std::size_t context_step = 64, token_step = 8;
constexpr double several = 1.1;  ///< factor on attention over more than one sequence

std::size_t round_up(std::size_t value, std::size_t step) {
    return (value + step - 1) / step * step;
}

std::size_t index_of(const Csv& table, std::size_t row, const char* column, std::size_t unit) {
    const double value = table.number(row, column).value_or(-1.0);
    const auto index = static_cast<std::size_t>(std::max(0.0, value)) / unit;
    if (value < 0 || value > 1e7 || static_cast<double>(index * unit) != value)
        throw InputError(table.place(row), std::string(column) + " must be a multiple of " + std::to_string(unit));
    return index;
}

double milliseconds(const Csv& table, std::size_t row, const char* column) {
    const auto value = table.number(row, column);
    if (!value || !(*value >= 0.0)) throw InputError(table.place(row), std::string(column) + " must be a time");
    return *value;
}

}  // namespace

TabulatedTimer::TabulatedTimer(const std::string& folder, int layers)
    : layers_(layers), linear_file_(folder + "/linear.csv") {
    constexpr const char* padded[] = {
        "attn_pre_proj", "attn_post_proj",           "mlp_up_proj", "mlp_down_proj", "mlp_act", "input_layernorm",
        "attn_rope",     "post_attention_layernorm", "add"};
    const Csv table = Csv::from_file(linear_file_);
    for (std::size_t row = 0; row < table.rows(); ++row) {
        const std::size_t tokens = index_of(table, row, "num_tokens", 1);
        if (tokens >= linear_.size()) linear_.resize(tokens + 1, NAN), cache_save_.resize(tokens + 1, NAN);
        linear_[tokens] = 0;
        for (const char* column : padded) linear_[tokens] += milliseconds(table, row, column);
        cache_save_[tokens] = milliseconds(table, row, "attn_kv_cache_save");
    }
    decode_ = read_grid(folder + "/attn_decode.csv", "batch", 1, "kv", context_step);
    prefill_ = read_grid(folder + "/attn_prefill.csv", "kv", context_step, "chunk", 1);
}

TabulatedTimer::Grid TabulatedTimer::read_grid(const std::string& file, const char* row, std::size_t row_unit,
                                               const char* column, std::size_t column_unit) {
    const Csv table = Csv::from_file(file);
    Grid grid;
    grid.file = file;
    std::size_t height = 0;
    for (std::size_t i = 0; i < table.rows(); ++i) {
        height = std::max(height, index_of(table, i, row, row_unit) + 1);
        grid.width = std::max(grid.width, index_of(table, i, column, column_unit) + 1);
    }
    grid.cells.assign(height * grid.width, NAN);
    for (std::size_t i = 0; i < table.rows(); ++i)
        grid.cells[index_of(table, i, row, row_unit) * grid.width + index_of(table, i, column, column_unit)] =
            milliseconds(table, i, "ms_per_layer");
    return grid;
}

double TabulatedTimer::Grid::at(std::size_t row, std::size_t column) const {
    const double value =
        column < width && row * width + column < cells.size() ? cells[row * width + column] : static_cast<double>(NAN);
    if (std::isnan(value))
        throw InputError(file, "no entry in row " + std::to_string(row) + ", column " + std::to_string(column) +
                                   " of the grid that a step needs");
    return value;
}

double TabulatedTimer::linear(std::size_t tokens) const {
    const std::size_t padded = round_up(tokens, token_step);
    if (padded >= linear_.size() || std::isnan(linear_[padded]) || std::isnan(cache_save_[tokens]))
        throw InputError(linear_file_, "no row for a step of " + std::to_string(tokens) + " tokens");
    return linear_[padded] + cache_save_[tokens];
}

double TabulatedTimer::decode_attention(std::uint32_t decodes, std::uint64_t context) const {
    if (decodes == 0) return 0;
    return decode_.at(decodes, round_up(context / decodes, context_step) / context_step) *
           (decodes > 1 ? several : 1.0);
}

double TabulatedTimer::prefill_attention(std::span<const PromptChunk> chunks) const {
    if (chunks.empty()) return 0;
    std::size_t cached = 0;
    double squares = 0;
    for (const PromptChunk& chunk : chunks) {
        cached += round_up(chunk.context, context_step);
        squares += static_cast<double>(chunk.tokens) * chunk.tokens;
    }
    const auto side = static_cast<std::size_t>(std::nearbyint(std::sqrt(squares)));
    return prefill_.at(cached / context_step, side) * (chunks.size() > 1 ? several : 1.0);
}

Seconds TabulatedTimer::step(std::span<const PromptChunk> chunks, std::uint32_t decodes, std::uint64_t context) const {
    std::size_t tokens = decodes;
    for (const PromptChunk& chunk : chunks) tokens += chunk.tokens;
    return Seconds(1e-3 * layers_ * (linear(tokens) + decode_attention(decodes, context) + prefill_attention(chunks)));
}

DecodePiece TabulatedTimer::decode(std::uint32_t decodes, std::uint64_t context) const {
    const std::size_t mean = context / decodes;
    return {.first = step({}, decodes, context), .steps = round_up(mean, context_step) - mean + 1};
}

}  // namespace plimsoll
