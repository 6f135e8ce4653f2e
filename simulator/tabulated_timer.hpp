#pragma once
#include <string>
#include <vector>

#include "simulator/step_timer.hpp"

namespace plimsoll {

/// Steps timed by tables of kernel times per layer, as iteration-level simulators profile them: `linear.csv` by the
/// tokens of the step (rounded up to 8), `attn_decode.csv` by batch and mean context (cut to an integer, rounded up to
/// 64), `attn_prefill.csv` by the cached tokens (each chunk's rounded up to 64, summed) and the root of the summed
/// squares of the chunks; either attention is 10 % slower when it serves more than one sequence.
class TabulatedTimer final : public StepTimer {
  public:
    /// Reads the three tables of a folder. Throws EnvironmentError when one cannot be read, InputError when it is not
    /// such a table.
    TabulatedTimer(const std::string& folder, int layers);

    /// Throws InputError when the step lies outside the tables: nothing is extrapolated.
    [[nodiscard]] Seconds step(std::span<const PromptChunk> chunks, std::uint32_t decodes,
                               std::uint64_t context) const override;
    /// Constant until the mean context enters the next row of its table.
    [[nodiscard]] DecodePiece decode(std::uint32_t decodes, std::uint64_t context) const override;

  private:
    /// Milliseconds per layer by two indices; a NaN is a hole.
    struct Grid {
        std::string file;
        std::size_t width = 0;
        std::vector<double> cells;
        [[nodiscard]] double at(std::size_t row, std::size_t column) const;
    };
    static Grid read_grid(const std::string& file, const char* row, std::size_t row_unit, const char* column,
                          std::size_t column_unit);
    [[nodiscard]] double linear(std::size_t tokens) const;
    [[nodiscard]] double decode_attention(std::uint32_t decodes, std::uint64_t context) const;
    [[nodiscard]] double prefill_attention(std::span<const PromptChunk> chunks) const;

    double layers_;
    std::string linear_file_;
    std::vector<double> linear_;      ///< [tokens], ms: the operators that work on padded tokens
    std::vector<double> cache_save_;  ///< [tokens], ms: by the tokens as they are
    Grid decode_, prefill_;
};

}  // namespace plimsoll
