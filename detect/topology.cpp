#include <algorithm>

#include <fmt/format.h>

#include "detect/machine.hpp"
#include "detect/text.hpp"
#include "model/base/error.hpp"

namespace plimsoll {
namespace {

bool is_numbered(std::string_view word, std::string_view stem) {
    return word.starts_with(stem) && word.size() > stem.size() && leading_number(word.substr(stem.size()));
}

bool is_relation(std::string_view word) {
    static const std::vector<std::string_view> known{"X", "PIX", "PXB", "PHB", "NODE", "SYS", "SOC", "PIX*"};
    return is_numbered(word, "NV") || std::find(known.begin(), known.end(), word) != known.end();
}

/// The columns of devices, left of "CPU Affinity".
std::vector<std::string> device_columns(const std::string& header) {
    std::vector<std::string> columns = split_words(header);
    columns.erase(std::find(columns.begin(), columns.end(), "CPU"), columns.end());
    return columns;
}

}  // namespace

int DetectedTopology::nvlinks(std::size_t a, std::size_t b) const {
    const std::string& relation = gpu_to_gpu[a][b];
    return is_numbered(relation, "NV") ? static_cast<int>(*leading_number(std::string_view(relation).substr(2))) : 0;
}

DetectedTopology read_topology(std::string_view text, const std::string& place) {
    const std::vector<std::string> lines = plain_lines(text);
    const auto header = std::find_if(lines.begin(), lines.end(), [](const std::string& line) {
        const auto words = split_words(line);
        return !words.empty() && words.front() == "GPU0" && std::find(words.begin(), words.end(), "X") == words.end();
    });
    if (header == lines.end())
        throw InputError(place, "expected the matrix of nvidia-smi topo -m, no line begins with GPU0");
    const std::vector<std::string> columns = device_columns(*header);
    const auto gpus = static_cast<std::size_t>(std::count_if(
        columns.begin(), columns.end(), [](const std::string& column) { return is_numbered(column, "GPU"); }));
    DetectedTopology result;
    for (auto line = header + 1; line != lines.end() && result.gpu_to_gpu.size() < gpus; ++line) {
        const std::vector<std::string> words = split_words(*line);
        if (words.empty() || !is_numbered(words.front(), "GPU")) continue;
        const std::string at = fmt::format("{}:{}", place, line - lines.begin() + 1);
        if (words.front() != columns[result.gpu_to_gpu.size()] || words.size() < columns.size() + 1)
            throw InputError(at, fmt::format("expected the row of {} with {} columns",
                                             columns[result.gpu_to_gpu.size()], columns.size()));
        const auto cells = words.begin() + 1, split = cells + static_cast<std::ptrdiff_t>(gpus);
        const auto end = cells + static_cast<std::ptrdiff_t>(columns.size());
        if (const auto odd = std::find_if_not(cells, end, is_relation); odd != end)
            throw InputError(at, "unknown relation " + in_quotes(*odd) + "; known: X, NV#, PIX, PXB, PHB, NODE, SYS");
        result.gpu_to_gpu.emplace_back(cells, split);
        result.gpu_to_nic.emplace_back(split, end);
        // "48-63,176-191  3  N/A": the affinity of processors, of memory, of the GPU's own memory.
        const auto numa = end == words.end() || end + 1 == words.end() ? std::nullopt : leading_number(*(end + 1));
        result.numa.push_back(numa ? std::optional(static_cast<int>(*numa)) : std::nullopt);
    }
    if (result.gpu_to_gpu.size() != gpus)
        throw InputError(place, fmt::format("{} GPUs in the header, but {} rows", gpus, result.gpu_to_gpu.size()));
    return result;
}

}  // namespace plimsoll
