#include "simulator/trace.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <optional>
#include <unordered_map>

#include "model/base/csv.hpp"
#include "model/base/error.hpp"
#include "model/base/fields.hpp"
#include "model/base/text_file.hpp"

namespace plimsoll {
namespace {

using Names = std::vector<std::string>;

const Names prompt_names{"num_prefill_tokens", "prompt_tokens", "prompt",        "prompt_len",    "input_tokens",
                         "input_length",       "input_len",     "ContextTokens", "Request tokens"};
const Names output_names{"num_decode_tokens", "output_tokens", "output",          "output_len",
                         "completion_tokens", "output_length", "GeneratedTokens", "Response tokens"};

/// How an arrival column tells time.
struct Clock {
    std::string name;
    double unit;  ///< s; 0: date and time
};
const std::vector<Clock> csv_clocks{{"arrived_at", 1.0}, {"arrival", 1.0},   {"arrival_s", 1.0}, {"arrival_ms", 1e-3},
                                    {"timestamp", 1.0},  {"Timestamp", 1.0}, {"TIMESTAMP", 0.0}};

constexpr double most_tokens = 1e9;
/// Tokens of a block of Mooncake's traces (its README).
constexpr std::uint32_t mooncake_block = 512;

/// Bytes of the names in a file's first line that a message shows.
constexpr std::size_t most_listed = 300;

std::string listed(const Names& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
    return text;
}

std::string only_column(const Csv& csv, const Names& names, const std::string& what, const std::string& name) {
    std::optional<std::string> found;
    for (const std::string& column : names) {
        if (!csv.has(column)) continue;
        if (found) throw InputError(name + ":1", "two columns of " + what + ": " + *found + ", " + column);
        found = column;
    }
    if (!found)
        throw InputError(name + ":1", "no column of " + what + "; known: " + listed(names) +
                                          "; found: " + in_quotes(listed(csv.columns()), most_listed));
    return *found;
}

std::uint32_t tokens_of(const Csv& csv, std::size_t row, const std::string& column) {
    const std::optional<double> value = csv.number(row, column);
    if (!value || !(*value >= 1) || *value > most_tokens || *value != std::floor(*value))
        throw InputError(csv.place(row), "'" + column + "' must be a whole number of tokens, at least 1; got " +
                                             in_quotes(csv.text(row, column)));
    return static_cast<std::uint32_t>(*value);
}

/// Days from 1970-01-01 of a date of the Gregorian calendar (Hinnant, "chrono-compatible low-level date algorithms").
std::int64_t days_from_civil(std::int64_t year, int month, int day) {
    year -= month <= 2 ? 1 : 0;
    const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
    const std::int64_t year_of_era = year - era * 400;
    const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

/// A moment as whole seconds and the rest, so that fractions survive the subtraction of the first one.
struct Moment {
    std::int64_t seconds = 0;
    double fraction = 0;
};

/// Takes the digits before `end` (all that is left for '\0') off the front.
std::optional<int> take_number(std::string_view& text, char end) {
    const std::size_t size = end == '\0' ? text.size() : text.find(end);
    if (size == text.npos || size == 0 || size > 4) return std::nullopt;
    int value = 0;
    const auto [rest, error] = std::from_chars(text.data(), text.data() + size, value);
    if (error != std::errc{} || rest != text.data() + size || value < 0) return std::nullopt;
    text.remove_prefix(std::min(text.size(), size + 1));
    return value;
}

/// "2023-11-16 18:15:46.6805900", with "T" for the space and an offset of zero allowed behind.
std::optional<Moment> parse_moment(std::string_view text) {
    for (const std::string_view zero : {"+00:00", "Z"})
        if (text.ends_with(zero)) text.remove_suffix(zero.size());
    const char middle = text.find('T') == text.npos ? ' ' : 'T';
    const auto year = take_number(text, '-'), month = take_number(text, '-'), day = take_number(text, middle);
    const auto hour = take_number(text, ':'), minute = take_number(text, ':');
    const std::size_t point = std::min(text.find('.'), text.size());
    std::string_view whole = text.substr(0, point);
    const auto second = take_number(whole, '\0');
    if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
    if (*month < 1 || *month > 12 || *day < 1 || *day > 31 || *hour > 23 || *minute > 59 || *second > 60)
        return std::nullopt;
    Moment moment{.seconds = days_from_civil(*year, *month, *day) * 86400 + *hour * 3600 + *minute * 60 + *second};
    double scale = 0.1;
    for (const char c : text.substr(std::min(text.size(), point + 1))) {
        if (c < '0' || c > '9') return std::nullopt;
        moment.fraction += scale * (c - '0');
        scale *= 0.1;
    }
    return moment;
}

void add_arrival(Trace& trace, Seconds time, const std::string& place) {
    if (!trace.arrival.empty() && time < trace.arrival.back())
        throw InputError(place, "arrives before the request above it: sort the trace by arrival");
    trace.arrival.push_back(time);
}

void read_arrivals(Trace& trace, const Csv& csv, const Clock& clock) {
    std::optional<Moment> first;
    for (std::size_t row = 0; row < csv.rows(); ++row) {
        if (clock.unit > 0) {
            const std::optional<double> value = csv.number(row, clock.name);
            if (!value || !(*value >= 0)) throw InputError(csv.place(row), "'" + clock.name + "' must be at least 0");
            add_arrival(trace, Seconds(*value * clock.unit), csv.place(row));
            continue;
        }
        const std::optional<Moment> moment = parse_moment(csv.text(row, clock.name));
        if (!moment)
            throw InputError(csv.place(row), "expected a date and time such as 2023-11-16 18:15:46.68, got " +
                                                 in_quotes(csv.text(row, clock.name)));
        if (!first) first = moment;
        const double time =
            static_cast<double>(moment->seconds - first->seconds) + (moment->fraction - first->fraction);
        add_arrival(trace, Seconds(time), csv.place(row));
    }
}

/// The leading blocks that occurred before are shared; the ids then count as seen.
class SharedBlocks {
  public:
    void add(Trace& trace, const std::vector<std::int64_t>& ids, std::uint32_t prompt) {
        std::size_t known = 0;
        while (known < ids.size() && numbers_.count(ids[known]) > 0) ++known;
        std::uint64_t name = trace.name;
        for (const std::int64_t id : ids) {
            trace.blocks.push_back(numbers_.emplace(id, static_cast<std::uint32_t>(numbers_.size())).first->second);
            trace.names.push_back(name = joint_name(name, static_cast<std::uint64_t>(id)));
        }
        trace.block_end.push_back(trace.blocks.size());
        trace.shared_prefix.push_back(
            static_cast<std::uint32_t>(std::min<std::size_t>(known * mooncake_block, prompt)));
    }

  private:
    std::unordered_map<std::int64_t, std::uint32_t> numbers_;
};

std::string only_key(const Fields& line, const Names& names, const std::string& what) {
    for (const std::string& name : names)
        if (line.has(name)) return name;
    line.fail("", "no field of " + what + "; known: " + listed(names));
}

}  // namespace

std::span<const std::uint32_t> Trace::blocks_of(std::size_t row) const {
    const std::size_t begin = row == 0 ? 0 : block_end[row - 1];
    return std::span(blocks).subspan(begin, block_end[row] - begin);
}

Content Trace::content_of(std::size_t row) const {
    if (block_end.empty()) return {};
    const std::size_t begin = row == 0 ? 0 : block_end[row - 1];
    const std::size_t tokens = (block_end[row] - begin) * block_tokens;
    return {.own = joint_name(name, ~std::uint64_t{row}),
            .path = names.data() + begin,
            .shared = static_cast<std::uint32_t>(std::min<std::size_t>(tokens, prompt[row])),
            .piece = block_tokens};
}

double Trace::mean_prompt() const {
    return std::accumulate(prompt.begin(), prompt.end(), 0.0) / static_cast<double>(size());
}

double Trace::mean_output() const {
    return std::accumulate(output.begin(), output.end(), 0.0) / static_cast<double>(size());
}

PerSecond Trace::rate() const {
    if (arrival.size() < 2 || !(arrival.back() > arrival.front())) return PerSecond{};
    return static_cast<double>(arrival.size() - 1) / (arrival.back() - arrival.front());
}

Trace read_trace_csv(std::string_view text, const std::string& name) {
    const Csv csv = Csv::from_text(text, name);
    const std::string prompt = only_column(csv, prompt_names, "prompt tokens", name);
    const std::string output = only_column(csv, output_names, "output tokens", name);
    Trace trace;
    for (std::size_t row = 0; row < csv.rows(); ++row) {
        trace.prompt.push_back(tokens_of(csv, row, prompt));
        trace.output.push_back(tokens_of(csv, row, output));
    }
    if (trace.size() == 0) throw InputError(name, "the trace has no requests");
    std::optional<Clock> clock;
    for (const Clock& known : csv_clocks) {
        if (!csv.has(known.name)) continue;
        if (clock) throw InputError(name + ":1", "two columns of arrivals: " + clock->name + ", " + known.name);
        clock = known;
    }
    if (clock) read_arrivals(trace, csv, *clock);
    return trace;
}

Trace read_trace_jsonl(std::string_view text, const std::string& name) {
    Trace trace;
    trace.block_tokens = mooncake_block;
    for (const char c : name) trace.name = joint_name(trace.name, static_cast<unsigned char>(c));
    SharedBlocks shared;
    for (std::size_t line_number = 1; !text.empty(); ++line_number) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        if (line.find_first_not_of(" \r\t") == line.npos) continue;
        const std::string place = name + ":" + std::to_string(line_number);
        const Fields fields = Fields::from_text(line, place);
        const Range tokens{1, most_tokens};
        const auto prompt =
            static_cast<std::uint32_t>(fields.integer(only_key(fields, prompt_names, "prompt tokens"), tokens));
        const auto output =
            static_cast<std::uint32_t>(fields.integer(only_key(fields, output_names, "output tokens"), tokens));
        const bool timed = fields.has("timestamp"), hashed = fields.has("hash_ids");
        if (trace.size() > 0 && (timed == trace.arrival.empty() || hashed == trace.block_end.empty()))
            throw InputError(place, "a trace has 'timestamp' in all lines or in none, and so 'hash_ids'");
        if (timed) add_arrival(trace, Seconds(1e-3 * fields.number("timestamp", {0, 1e15})), place);
        if (hashed) shared.add(trace, fields.integers("hash_ids", {0, 9e15}), prompt);
        fields.finish();
        trace.prompt.push_back(prompt);
        trace.output.push_back(output);
    }
    if (trace.size() == 0) throw InputError(name, "the trace has no requests");
    return trace;
}

Trace read_trace(const std::string& path) {
    const std::string text = text_of_file(path);
    return path.ends_with(".jsonl") ? read_trace_jsonl(text, path) : read_trace_csv(text, path);
}

}  // namespace plimsoll
