#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/base/units.hpp"
#include "simulator/content.hpp"

namespace plimsoll {

/// Requests that somebody recorded, column by column; all columns have one entry a request, or none.
struct Trace {
    std::vector<Seconds> arrival;       ///< from the first one on, rising; empty: lengths alone were recorded
    std::vector<std::uint32_t> prompt;  ///< tokens, at least 1
    std::vector<std::uint32_t> output;  ///< tokens, at least 1
    /// Leading prompt tokens that an earlier request of the trace had too; empty: not recorded.
    std::vector<std::uint32_t> shared_prefix;
    /// Ids of the blocks of each prompt, one request after another; `block_end[i]` is the end of request i's.
    std::vector<std::uint32_t> blocks;
    std::vector<std::size_t> block_end;
    /// In the same order: a name for each block and all before it, by which prefix caches go; a block has
    /// `block_tokens` tokens, the last one of a prompt perhaps fewer.
    std::vector<std::uint64_t> names;
    std::uint32_t block_tokens = 0;
    std::uint64_t name = 0;  ///< of the trace itself: the blocks of two traces are different ones

    [[nodiscard]] std::size_t size() const { return prompt.size(); }
    /// Block ids of one request's prompt.
    [[nodiscard]] std::span<const std::uint32_t> blocks_of(std::size_t row) const;
    /// What the tokens of one request are, as far as block ids were recorded; valid as long as the trace. Nobody
    /// repeats an answer.
    [[nodiscard]] Content content_of(std::size_t row) const;
    [[nodiscard]] double mean_prompt() const;
    [[nodiscard]] double mean_output() const;
    /// Requests per second from the first arrival to the last; 0 without arrivals.
    [[nodiscard]] PerSecond rate() const;
};

/// Reads a CSV table or, when the name ends in ".jsonl", one JSON object a line. The format shows in the names:
/// arrival `arrived_at`, `arrival`, `arrival_s` (s), `arrival_ms`, `Timestamp` (s), `TIMESTAMP` (date and time, Azure's
/// LLM inference trace), `timestamp` (JSON lines: ms, Mooncake's); prompt and output tokens `num_prefill_tokens`,
/// `prompt_tokens`, `ContextTokens`, `input_length`, ... Throws EnvironmentError and InputError ("file:line").
[[nodiscard]] Trace read_trace(const std::string& path);
/// The same from memory; `name` stands for the file.
[[nodiscard]] Trace read_trace_csv(std::string_view text, const std::string& name);
[[nodiscard]] Trace read_trace_jsonl(std::string_view text, const std::string& name);

}  // namespace plimsoll
