#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "calibrate/import_text.hpp"
#include "model/base/error.hpp"
#include "model/base/units_text.hpp"

// The text that the programs of NVIDIA/nccl-tests print (src/util.cu writeDeviceReport, writeResultHeader,
// writeBenchmarkLineBody; older releases have no root and call #wrong error).
namespace plimsoll {
namespace {

/// A type as the tool names it, as tables of kernels name it, and its bytes.
struct Element {
    std::string_view name, dtype;
    double bytes;
};
constexpr Element elements[] = {
    {"float", "fp32", 4},   {"half", "fp16", 2},    {"bfloat16", "bf16", 2}, {"int8", "int8", 1},
    {"uint8", "int8", 1},   {"fp8_e4m3", "fp8", 1}, {"fp8_e5m2", "fp8", 1},  {"f8e4m3", "fp8", 1},
    {"f8e5m2", "fp8", 1},   {"int32", "int32", 4},  {"uint32", "int32", 4},  {"int64", "int64", 8},
    {"uint64", "int64", 8}, {"double", "fp64", 8},
};

/// The programs, without their "_perf".
constexpr std::string_view programs[] = {"all_reduce",     "all_gather", "alltoall",  "alltoallv",
                                         "broadcast",      "gather",     "hypercube", "reduce",
                                         "reduce_scatter", "scatter",    "sendrecv"};

/// Two figures printed to two decimals or three digits agree when they are no farther apart than this.
constexpr double print_error = 0.011, print_share = 0.02;
/// Times of the out-of-place and the in-place run farther apart than this were disturbed; they move the same bytes.
constexpr double disturbed = 2.0;

bool agree(double a, double b) {
    return std::abs(a - b) <= print_error + print_share * std::max(std::abs(a), std::abs(b));
}

/// What the header of a run says.
struct Run {
    std::string collective;  ///< "all_reduce", or empty before it is known
    std::string library;
    std::set<int> ranks;
    std::set<std::string> hosts, devices;
    std::vector<std::string> columns;  ///< of the table; empty before its header
    bool open = false;                 ///< rows were read and no footer
    std::size_t rows = 0;              ///< of a collective that is not used
    std::string first_place;
};

class Reader {
  public:
    Reader(const MeasuredText& text, const GivenColumns& given) : name_(text.name), given_(given) {
        result_.table = Csv::with_columns(
            {"source", "gpu", "topology", "library", "collective", "ranks", "bytes", "dtype", "seconds"}, text.name);
        // The program's name stands in the command line before or, in new releases, in the header and after the table.
        const std::vector<std::string_view> lines = lines_of(text.text);
        for (std::size_t i = 0; i < lines.size(); ++i) {
            place_ = fmt::format("{}:{}", name_, i + 1);
            read_line(lines[i], lines, i);
        }
        close(true);
    }

    [[nodiscard]] Imported take() {
        if (result_.table.rows() == 0 && result_.left_out.empty())
            throw InputError(name_, "holds no row of a table of nccl-tests: is it cut off?");
        return std::move(result_);
    }

  private:
    void read_line(std::string_view line, const std::vector<std::string_view>& lines, std::size_t index) {
        // mpirun --tag-output.
        if (const auto tag = line.find("<stdout>:"); line.starts_with('[') && tag != std::string_view::npos)
            line.remove_prefix(tag + std::string_view("<stdout>:").size());
        line = trimmed(line);
        while (line.starts_with('#')) line = trimmed(line.substr(1));
        note_collective(line);
        const std::vector<std::string_view> words = words_of(line);
        if (words.empty()) return;
        if (words[0] == "nThread" || (words[0] == "nccl-tests" && words.size() > 1 && words[1] == "version")) {
            if (run_.open || !run_.columns.empty()) close(run_.open);
            note_library(words);
        } else if (words[0] == "Rank" && words.size() > 1) {
            read_device(line, words);
        } else if (line.starts_with("NCCL version ")) {
            run_.library = "nccl-" + std::string(words[2].substr(0, words[2].find('+')));
        } else if (words[0] == "size") {
            run_.columns.assign(words.begin(), words.end());
            if (run_.collective.empty()) run_.collective = collective_ahead(lines, index);
        } else if (line.starts_with("Avg bus bandwidth")) {
            close(false);
        } else if (line.starts_with("Out of bounds values") && line.find("FAILED") != std::string_view::npos) {
            result_.left_out.push_back(place_ + ": the tool found wrong values: " + std::string(line));
        } else if (!run_.columns.empty() && line[0] >= '0' && line[0] <= '9') {
            read_row(words);
        }
    }

    /// "all_reduce_perf" anywhere, a footer aside.
    void note_collective(std::string_view line) {
        if (line.find("test concluded") != std::string_view::npos) return;
        const std::string found = collective_in(line);
        if (!found.empty() && run_.columns.empty()) run_.collective = found;
    }
    static std::string collective_in(std::string_view line) {
        const auto is_part = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
        for (std::size_t end = line.find("_perf"); end != std::string_view::npos; end = line.find("_perf", end + 1)) {
            std::size_t from = end;
            while (from > 0 && is_part(line[from - 1])) --from;
            const std::string_view name = line.substr(from, end - from);
            if (std::find(std::begin(programs), std::end(programs), name) != std::end(programs))
                return std::string(name);
        }
        return {};
    }
    /// What the footer of the table that begins here says.
    static std::string collective_ahead(const std::vector<std::string_view>& lines, std::size_t from) {
        for (std::size_t i = from; i < lines.size(); ++i)
            if (lines[i].find("test concluded") != std::string_view::npos) return collective_in(lines[i]);
        return {};
    }

    /// "nccl-library=22703": 10000 major + 100 minor + patch since 2.9, 1000 major + ... before.
    void note_library(const std::vector<std::string_view>& words) {
        for (const std::string_view word : words) {
            constexpr std::string_view key = "nccl-library=";
            if (!word.starts_with(key)) continue;
            const auto code = static_cast<int>(parse_number(word.substr(key.size()), place_ + " nccl-library"));
            const int major = code >= 10000 ? code / 10000 : code / 1000,
                      rest = code - major * (code >= 10000 ? 10000 : 1000);
            run_.library = fmt::format("nccl-{}.{}.{}", major, rest / 100, rest % 100);
        }
    }

    void read_device(std::string_view line, const std::vector<std::string_view>& words) {
        const auto rank = static_cast<int>(parse_number(words[1], place_ + " Rank"));
        if (!run_.ranks.insert(rank).second)
            throw InputError(place_, fmt::format("rank {} stands twice: the tests were built without MPI, so that each "
                                                 "process measured by itself",
                                                 rank));
        const std::size_t bus = line.rfind("] "), on = line.find(" on "), device = line.find(" device ");
        if (bus == std::string_view::npos || on == std::string_view::npos || device == std::string_view::npos)
            throw InputError(place_, "expected '... on HOST device N [BUS] GPU', as nccl-tests prints it");
        run_.hosts.emplace(trimmed(line.substr(on + 4, device - on - 4)));
        run_.devices.emplace(trimmed(line.substr(bus + 2)));
    }

    void read_row(const std::vector<std::string_view>& words) {
        if (!run_.open) run_.first_place = place_;
        run_.open = true;
        if (const auto given = given_.find("collective"); given != given_.end()) run_.collective = given->second;
        if (run_.collective.empty())
            throw InputError(place_,
                             "nothing before the table says which collective it is of: give it by --column "
                             "collective=all_reduce");
        if (run_.collective != "all_reduce" && !exchanges()) {
            ++run_.rows;
            return;
        }
        if (words.size() < run_.columns.size())
            throw InputError(place_, fmt::format("{} values, but the header has {} columns: is the table cut off?",
                                                 words.size(), run_.columns.size()));
        const double bytes = size(words[at("size", 0)]), count = size(words[at("count", 0)]);
        const Element& type = element(words[at("type", 0)]);
        if (bytes == 0) {
            result_.left_out.push_back(place_ + ": nothing was sent: the size is 0");
            return;
        }
        if (count * type.bytes != bytes)
            throw InputError(place_, fmt::format("{} values of {} are not {} bytes", count, type.name, bytes));
        if (std::find(run_.columns.begin(), run_.columns.end(), "cputime") != run_.columns.end())
            throw InputError(place_, "the times are of the processor (-C 1), not of the collective");
        add(words, bytes, type);
    }

    void add(const std::vector<std::string_view>& words, double bytes, const Element& type) {
        const double out_of_place = time(words, bytes, 0), in_place = time(words, bytes, 1);
        for (const std::size_t which : {0U, 1U})
            if (const double wrong = wrong_values(words, at("busbw", which) + 1); wrong > 0) {
                result_.left_out.push_back(fmt::format("{}: {} wrong values", place_, wrong));
                return;
            }
        if (std::max(out_of_place, in_place) > disturbed * std::min(out_of_place, in_place)) {
            result_.left_out.push_back(
                fmt::format("{}: {:.4g} us out of place and {:.4g} us in place: one of them was disturbed", place_,
                            out_of_place * 1e6, in_place * 1e6));
            return;
        }
        for (const double seconds : {out_of_place, in_place})
            result_.table.add_row(place_, {"nccl-tests", gpu(), topology(), library(),
                                           exchanges() ? "all_to_all" : "all_reduce", std::to_string(run_.ranks.size()),
                                           number_text(bytes), std::string(type.dtype), number_text(seconds)});
    }

    /// Seconds of the first or second run of a row, after the bandwidths printed beside it have been held against it.
    double time(const std::vector<std::string_view>& words, double bytes, std::size_t which) {
        const std::string place = place_ + (which == 0 ? " time (out of place)" : " time (in place)");
        const double micros = parse_number(words[at("time", which)], place);
        if (micros <= 0) throw InputError(place, "must be above zero, got " + in_quotes(words[at("time", which)]));
        const double algorithm = parse_number(words[at("algbw", which)], place_ + " algbw");
        const double bus = parse_number(words[at("busbw", which)], place_ + " busbw");
        const double meant = bytes / (micros * 1e-6) / 1e9;
        if (!agree(meant, algorithm))
            throw InputError(place, fmt::format("{} bytes in {} us are {:.3g} GB/s, but algbw is {}: is the time in "
                                                "another unit?",
                                                bytes, micros, meant, algorithm));
        check_ranks(algorithm, bus);
        return micros * 1e-6;
    }

    [[nodiscard]] bool exchanges() const { return run_.collective == "alltoall" || run_.collective == "all_to_all"; }

    /// busbw = algbw 2 (n - 1) / n, or (n - 1) / (n + 1) where NVLS was forced (nccl-tests src/all_reduce.cu); of an
    /// all-to-all algbw (n - 1) / n (src/alltoall.cu).
    void check_ranks(double algorithm, double bus) const {
        const auto n = static_cast<double>(ranks());
        if (exchanges()) {
            if (agree(bus, algorithm * (n - 1) / n)) return;
            throw InputError(place_ + " busbw",
                             fmt::format("busbw {} over algbw {} is not (n - 1) / n of an all-to-all "
                                         "over the {} ranks of the header",
                                         bus, algorithm, n));
        }
        if (agree(bus, algorithm * 2 * (n - 1) / n) || agree(bus, algorithm * (n - 1) / (n + 1))) return;
        throw InputError(place_ + " busbw", fmt::format("busbw {} over algbw {} is not 2 (n - 1) / n of an all-reduce "
                                                        "over the {} ranks of the header",
                                                        bus, algorithm, n));
    }

    [[nodiscard]] std::size_t ranks() const {
        if (run_.ranks.size() >= 2) return run_.ranks.size();
        throw InputError(place_, run_.ranks.empty() ? "no 'Rank ... on HOST device ...' line stands before the table"
                                                    : "a collective of one rank moves nothing");
    }

    /// The column of that name, of the first or the second run.
    [[nodiscard]] std::size_t at(std::string_view column, std::size_t which) const {
        for (std::size_t i = 0; i < run_.columns.size(); ++i)
            if (run_.columns[i] == column && which-- == 0) return i;
        throw InputError(place_, fmt::format("the header has no column '{}'", column));
    }
    /// Old releases print the largest deviation, "error", instead, and nothing is counted with -c 0.
    [[nodiscard]] double wrong_values(const std::vector<std::string_view>& words, std::size_t column) const {
        if (column >= run_.columns.size() || run_.columns[column] != "#wrong" || words[column] == "N/A") return 0;
        return parse_number(words[column], place_ + " #wrong");
    }

    /// Bytes or elements, with the binary prefix that -b and -e take.
    [[nodiscard]] double size(std::string_view word) const {
        double factor = 1;
        constexpr std::string_view prefixes = "KMGT";
        const std::string_view digits = word.ends_with('B') ? word.substr(0, word.size() - 1) : word;
        const std::size_t prefix = digits.empty() ? std::string_view::npos : prefixes.find(digits.back());
        if (prefix == std::string_view::npos) return parse_number(digits, place_ + " size");
        for (std::size_t i = 0; i <= prefix; ++i) factor *= 1024;
        return factor * parse_number(digits.substr(0, digits.size() - 1), place_ + " size");
    }

    [[nodiscard]] const Element& element(std::string_view name) const {
        std::vector<std::string> known;
        for (const Element& e : elements) {
            if (e.name == name) return e;
            known.emplace_back(e.name);
        }
        throw InputError(place_ + " type", unknown_name("type", name, known));
    }

    [[nodiscard]] std::string gpu() const {
        if (run_.devices.size() > 1 && !given_.contains("gpu"))
            throw InputError(place_, fmt::format("the ranks are on different GPUs: {}", fmt::join(run_.devices, ", ")));
        return given_or(given_, "gpu", run_.devices.empty() ? std::nullopt : std::optional(*run_.devices.begin()),
                        place_);
    }
    [[nodiscard]] std::string topology() const {
        const std::string link = given_or(given_, "topology", std::nullopt, place_);
        return run_.hosts.size() > 1 ? fmt::format("{}:{}nodes", link, run_.hosts.size()) : link;
    }
    [[nodiscard]] std::string library() const {
        return given_or(given_, "library", run_.library.empty() ? "nccl" : run_.library, place_);
    }

    /// Ends a run, so that the next table starts anew.
    void close(bool cut) {
        if (run_.rows > 0)
            result_.left_out.push_back(
                fmt::format("{}: {} rows of {}_perf: of the collectives the fits use all-reduce and "
                            "all-to-all alone",
                            run_.first_place, run_.rows, run_.collective));
        if (cut && run_.open)
            result_.left_out.push_back(run_.first_place +
                                       ": no 'Avg bus bandwidth' ends this table: rows may be missing");
        run_ = Run{};
    }

    std::string name_;
    const GivenColumns& given_;
    std::string place_;
    Run run_;
    Imported result_;
};

Likeness likeness(std::string_view text) {
    const bool table = text.find("algbw") != std::string_view::npos && text.find("busbw") != std::string_view::npos;
    const bool header =
        text.find("nThread ") != std::string_view::npos && text.find("minBytes") != std::string_view::npos;
    return table || header ? Likeness::sure : Likeness::none;
}

Imported read(const MeasuredText& text, const GivenColumns& given) {
    return Reader(text, given).take();
}

}  // namespace

void register_nccl_tests(Registry<Importer>& registry) {
    registry.add("nccl_tests", {.description = "what all_reduce_perf and the others of nccl-tests print",
                                .gives = {MeasuredKind::kernels},
                                .takes = {"collective", "gpu", "library", "topology"},
                                .likeness = likeness,
                                .read = read});
}

}  // namespace plimsoll
