#include <fmt/format.h>

#include "calibrate/import_steps.hpp"
#include "model/base/error.hpp"
#include "model/base/units_text.hpp"

// What llama-batched-bench of llama.cpp prints as Markdown or JSON lines (tools/batched-bench/batched-bench.cpp): B
// prompts of PP tokens in T_PP seconds, then TG tokens for each of them, one a step, in T_TG.
namespace plimsoll {
namespace {

constexpr double most = 1e9;

/// One row, whichever form it stands in.
struct Batch {
    std::string place;
    double prompt = 0, generated = 0, sequences = 0;
    double prompt_seconds = 0, generation_seconds = 0;
    double prompt_rate = 0, generation_rate = 0;  ///< tokens/s
    double ubatch = llama_ubatch;
    bool shared = false;  ///< one prompt for all sequences
    double gpu_layers = -1;
};

class Batches {
  public:
    Batches(const MeasuredText& text, const GivenColumns& given)
        : given_(given), gpu_(llama_device(text)), result_{step_table(text.name), {}} {}

    void add(const Batch& row) {
        const double prompts = row.shared ? 1.0 : row.sequences;
        if (row.prompt_seconds == 0 && row.prompt > 0)
            throw InputError(row.place, "the prompts took 0 s: too few for three decimals");
        // Both are printed, so that times in another unit contradict the rates.
        check(row.place, prompts * row.prompt, row.prompt_seconds, row.prompt_rate, "T_PP", "S_PP");
        check(row.place, row.sequences * row.generated, row.generation_seconds, row.generation_rate, "T_TG", "S_TG");
        MeasuredStep step{.place = row.place, .source = "llama-batched-bench"};
        step.model = given_or(given_, "model", std::nullopt, row.place);
        step.gpu = given_or(given_, "gpu", gpu_, row.place);
        step.weights = given_or(given_, "weights_dtype", std::nullopt, row.place);
        if (row.gpu_layers >= 0) step.gpu_layers = row.gpu_layers;
        if (row.prompt > 0) {
            step.batch = prompts;
            step.prompt = row.prompt;
            step.chunk = row.ubatch;
            step.seconds = row.prompt_seconds;
            add_step(result_.table, step);
        }
        if (row.generated > 0) {
            step.prefill = false;
            step.batch = row.sequences;
            step.context = row.prompt + (row.generated + 1) / 2;
            step.seconds = row.generation_seconds / row.generated;
            add_step(result_.table, step);
        }
    }

    [[nodiscard]] Imported take(const std::string& name) {
        if (result_.table.rows() == 0) throw InputError(name, "holds no row of llama-batched-bench: is it cut off?");
        return std::move(result_);
    }

  private:
    /// Times have three decimals and rates two.
    static void check(const std::string& place, double tokens, double seconds, double rate, const char* time_name,
                      const char* rate_name) {
        if (tokens == 0) return;
        if (seconds <= 0 || rate <= 0)
            throw InputError(place, fmt::format("{} and {} must be above zero", time_name, rate_name));
        constexpr double time_step = 0.0006, share = 0.01;
        const double low = tokens / (seconds + time_step), high = tokens / std::max(seconds - time_step, 1e-9);
        if (rate >= low * (1 - share) && rate <= high * (1 + share)) return;
        throw InputError(
            place, fmt::format("{} tokens in {} s are {:.4g} tokens/s, but {} is {}: is {} in another unit?", tokens,
                               seconds, tokens / seconds, rate_name, rate, time_name));
    }

    const GivenColumns& given_;
    std::optional<std::string> gpu_;
    Imported result_;
};

/// The number behind "key = " on a line, if it is there.
std::optional<double> setting(std::string_view line, const std::string& key, const std::string& place) {
    const std::size_t at = line.find(" " + key + " = ");
    if (at == std::string_view::npos) return std::nullopt;
    const std::string_view rest = line.substr(at + key.size() + 4);
    return parse_number(rest.substr(0, rest.find_first_of(", ")), place + " " + key);
}

void read_markdown(const MeasuredText& text, Batches& batches) {
    std::vector<std::string> header;
    Batch settings;
    const std::vector<std::string_view> lines = lines_of(text.text);
    for (std::size_t i = 0; i < lines.size(); ++i) {
        Batch row = settings;
        row.place = fmt::format("{}:{}", text.name, i + 1);
        if (lines[i].find("n_kv_max = ") != std::string_view::npos) {
            settings.ubatch = setting(lines[i], "n_ubatch", row.place).value_or(llama_ubatch);
            settings.shared = setting(lines[i], "is_pp_shared", row.place).value_or(0) != 0;
            settings.gpu_layers = setting(lines[i], "n_gpu_layers", row.place).value_or(-1);
        }
        const std::vector<std::string> cells = markdown_cells(lines[i]);
        if (cells.empty() || is_markdown_rule(cells)) continue;
        if (cells[0] == "PP") {
            header = cells;
            continue;
        }
        if (cells.size() != header.size())
            throw InputError(row.place, fmt::format("{} cells, but the header has {}: is the table cut off?",
                                                    cells.size(), header.size()));
        const std::pair<std::string_view, double*> columns[] = {{"PP", &row.prompt},
                                                                {"TG", &row.generated},
                                                                {"B", &row.sequences},
                                                                {"T_PP s", &row.prompt_seconds},
                                                                {"S_PP t/s", &row.prompt_rate},
                                                                {"T_TG s", &row.generation_seconds},
                                                                {"S_TG t/s", &row.generation_rate}};
        for (const auto& [column, value] : columns)
            for (std::size_t c = 0; c < cells.size(); ++c)
                if (header[c] == column) *value = parse_number(cells[c], fmt::format("{} {}", row.place, column));
        batches.add(row);
    }
}

void read_json(const MeasuredText& text, Batches& batches) {
    for (const Fields& fields : json_objects(text)) {
        const auto number = [&](const char* key) { return fields.number(key, {0, most}); };
        batches.add({.place = fields.place(),
                     .prompt = number("pp"),
                     .generated = number("tg"),
                     .sequences = number("pl"),
                     .prompt_seconds = number("t_pp"),
                     .generation_seconds = number("t_tg"),
                     .prompt_rate = number("speed_pp"),
                     .generation_rate = number("speed_tg"),
                     .ubatch = fields.number_or("n_ubatch", llama_ubatch, {1, most}),
                     .shared = fields.number_or("is_pp_shared", 0, {0, 1}) != 0,
                     .gpu_layers = fields.number_or("n_gpu_layers", -1, {-1, most})});
    }
}

Likeness likeness(std::string_view text) {
    const auto has = [&](std::string_view part) { return text.find(part) != std::string_view::npos; };
    return (has("speed_pp") && has("speed_tg")) || (has("S_PP t/s") && has("|")) ? Likeness::sure : Likeness::none;
}

Imported read(const MeasuredText& text, const GivenColumns& given) {
    Batches batches(text, given);
    if (trimmed(text.text).starts_with('{'))
        read_json(text, batches);
    else
        read_markdown(text, batches);
    return batches.take(text.name);
}

}  // namespace

void register_llama_batched_bench(Registry<Importer>& registry) {
    registry.add("llama_batched_bench", {.description = "what llama-batched-bench prints, as Markdown or JSON lines",
                                         .gives = {MeasuredKind::steps},
                                         .takes = {"gpu", "model", "weights_dtype"},
                                         .likeness = likeness,
                                         .read = read});
}

}  // namespace plimsoll
