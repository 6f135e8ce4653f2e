#include <set>

#include <fmt/format.h>

#include "calibrate/import_steps.hpp"
#include "model/base/error.hpp"
#include "model/base/units_text.hpp"

// What llama-bench of llama.cpp prints with -o md, csv, json or jsonl (tools/llama-bench/README.md). Its tests are pp
// (a prompt of n tokens), tg (n tokens one by one), pg (both in one time) and any of them behind d tokens of context.
namespace plimsoll {
namespace {

/// The figures of one test, whichever form they stand in.
struct Test {
    std::string place, model_type = {};
    double prompt = 0, generated = 0, depth = 0;
    double ubatch = llama_ubatch;
    double gpu_layers = -1;               ///< -1: all
    double rate = 0, rate_deviation = 0;  ///< tokens/s
    std::optional<std::string> gpu = {};
};

class Tests {
  public:
    Tests(const MeasuredText& text, const GivenColumns& given)
        : given_(given), name_(text.name), result_{step_table(text.name), {}} {}

    void add(const Test& test) {
        if (test.rate <= 0) throw InputError(test.place, fmt::format("{} tokens/s must be above zero", test.rate));
        const double tokens = test.prompt + test.generated;
        if (tokens <= 0) throw InputError(test.place, "a test of no tokens");
        if (test.prompt > 0 && test.generated > 0) {
            result_.left_out.push_back(test.place + ": prompt and generation in one time (-pg) tell neither");
            return;
        }
        const LlamaModel model = llama_model(test.model_type);
        types_.insert(model.model);
        const auto weights = given_.find("weights_dtype");
        if (weights == given_.end() && !model.weights) {
            result_.left_out.push_back(
                fmt::format("{}: no dtype here stands for '{}'; --column weights_dtype=DTYPE "
                            "chooses one",
                            test.place, model.quantization));
            return;
        }
        MeasuredStep step{.place = test.place, .source = "llama-bench"};
        step.model = given_or(given_, "model", model.model, test.place);
        step.gpu = given_or(given_, "gpu", test.gpu, test.place);
        step.weights = weights == given_.end() ? *model.weights : weights->second;
        step.prefill = test.prompt > 0;
        step.prompt = test.prompt;
        step.chunk = test.ubatch;
        // Generation i reads i tokens behind the given depth.
        step.context = step.prefill ? test.depth : test.depth + (test.generated + 1) / 2;
        step.seconds = (step.prefill ? test.prompt : 1.0) / test.rate;
        step.deviation = step.seconds * test.rate_deviation / test.rate;
        if (test.gpu_layers >= 0) step.gpu_layers = test.gpu_layers;
        add_step(result_.table, step);
    }

    [[nodiscard]] Imported take() {
        if (given_.contains("model") && types_.size() > 1)
            throw InputError(name_, fmt::format("--column model names one model, but the file has {}: {}",
                                                types_.size(), fmt::join(types_, ", ")));
        if (result_.table.rows() == 0 && result_.left_out.empty())
            throw InputError(name_, "holds no test of llama-bench: is it cut off?");
        return std::move(result_);
    }

  private:
    const GivenColumns& given_;
    std::string name_;
    std::set<std::string> types_;
    Imported result_;
};

/// "pp512", "tg 128", "pp512+tg128", each with " @ d512" behind it or not.
void read_test(std::string_view text, Test& test) {
    std::string_view rest = text;
    const auto number_after = [&](std::string_view mark) {
        rest = trimmed(rest.substr(mark.size()));
        const std::size_t end = std::min(rest.find_first_not_of("0123456789"), rest.size());
        const double value = parse_number(rest.substr(0, end), test.place + " test");
        rest = trimmed(rest.substr(end));
        return value;
    };
    while (!rest.empty()) {
        if (rest.starts_with('+') || rest.starts_with('@')) rest = trimmed(rest.substr(1));
        if (rest.starts_with("pp"))
            test.prompt = number_after("pp");
        else if (rest.starts_with("tg"))
            test.generated = number_after("tg");
        else if (rest.starts_with("d"))
            test.depth = number_after("d");
        else
            throw InputError(test.place + " test",
                             in_quotes(text) + " is no test of llama-bench, such as pp512 or tg128 @ d512");
    }
}

/// "7100.00 ± 140.34".
void read_rate(const std::string& text, Test& test) {
    constexpr std::string_view plus_minus = "\xC2\xB1";
    const std::size_t at = text.find(plus_minus);
    const std::string place = test.place + " t/s";
    test.rate = parse_number(trimmed(text.substr(0, at)), place);
    if (at != std::string::npos)
        test.rate_deviation = parse_number(trimmed(text.substr(at + plus_minus.size())), place);
}

void read_markdown(const MeasuredText& text, Tests& tests) {
    const std::optional<std::string> gpu = llama_device(text);
    std::vector<std::string> header;
    const std::vector<std::string_view> lines = lines_of(text.text);
    for (std::size_t i = 0; i < lines.size(); ++i) {
        const std::vector<std::string> cells = markdown_cells(lines[i]);
        if (cells.empty() || is_markdown_rule(cells)) continue;
        if (cells[0] == "model") {
            header = cells;
            continue;
        }
        Test test{.place = fmt::format("{}:{}", text.name, i + 1), .gpu = gpu};
        if (cells.size() != header.size())
            throw InputError(test.place, fmt::format("{} cells, but the header has {}: is the table cut off?",
                                                     cells.size(), header.size()));
        for (std::size_t c = 0; c < cells.size(); ++c) {
            const auto number = [&] { return parse_number(cells[c], test.place + " " + header[c]); };
            if (header[c] == "model") test.model_type = cells[c];
            if (header[c] == "ngl") test.gpu_layers = number();
            if (header[c] == "n_ubatch") test.ubatch = number();
            if (header[c] == "test") read_test(cells[c], test);
            if (header[c] == "t/s") read_rate(cells[c], test);
        }
        tests.add(test);
    }
}

void read_csv(const MeasuredText& text, Tests& tests) {
    const Csv csv = Csv::from_text(text.text, text.name);
    csv.require({"model_type", "gpu_info", "n_prompt", "n_gen", "avg_ts", "stddev_ts"});
    for (std::size_t i = 0; i < csv.rows(); ++i) {
        const auto number = [&](const char* column, double absent) { return csv.number(i, column).value_or(absent); };
        Test test{.place = csv.place(i), .model_type = csv.text(i, "model_type")};
        test.prompt = number("n_prompt", 0);
        test.generated = number("n_gen", 0);
        test.depth = number("n_depth", 0);
        test.ubatch = number("n_ubatch", llama_ubatch);
        test.gpu_layers = number("n_gpu_layers", -1);
        test.rate = number("avg_ts", 0);
        test.rate_deviation = number("stddev_ts", 0);
        if (!csv.text(i, "gpu_info").empty()) test.gpu = csv.text(i, "gpu_info");
        tests.add(test);
    }
}

void read_json(const MeasuredText& text, Tests& tests) {
    for (const Fields& fields : json_objects(text)) {
        Test test{.place = fields.place(), .model_type = fields.string("model_type")};
        constexpr double most = 1e9;
        test.prompt = fields.number("n_prompt", {0, most});
        test.generated = fields.number("n_gen", {0, most});
        test.depth = fields.number_or("n_depth", 0, {0, most});
        test.ubatch = fields.number_or("n_ubatch", llama_ubatch, {1, most});
        test.gpu_layers = fields.number_or("n_gpu_layers", -1, {-1, most});
        test.rate = positive_number(fields, "avg_ts", most);
        test.rate_deviation = fields.number_or("stddev_ts", 0, {0, most});
        if (fields.has("gpu_info") && fields.json("gpu_info") != "\"\"") test.gpu = fields.string("gpu_info");
        tests.add(test);
    }
}

bool is_sql(std::string_view text) {
    return text.find("INSERT INTO llama_bench") != std::string_view::npos ||
           text.find("TABLE IF NOT EXISTS llama_bench") != std::string_view::npos ||
           text.find("INSERT INTO test (build_commit") != std::string_view::npos;
}

Likeness likeness(std::string_view text) {
    const auto has = [&](std::string_view part) { return text.find(part) != std::string_view::npos; };
    const bool fields = has("model_type") && has("avg_ts");
    return fields || is_sql(text) || (has("| model ") && has("| test") && has("t/s |")) ? Likeness::sure
                                                                                        : Likeness::none;
}

Imported read(const MeasuredText& text, const GivenColumns& given) {
    if (is_sql(text.text)) throw InputError(text.name, "SQL is not read: print with -o jsonl, json, csv or md");
    Tests tests(text, given);
    const std::string_view content = trimmed(text.text);
    if (content.starts_with('{') || content.starts_with('['))
        read_json(text, tests);
    else if (content.starts_with("build_"))
        read_csv(text, tests);
    else
        read_markdown(text, tests);
    return tests.take();
}

}  // namespace

void register_llama_bench(Registry<Importer>& registry) {
    registry.add("llama_bench", {.description = "what llama-bench prints with -o md, csv, json or jsonl",
                                 .gives = {MeasuredKind::steps},
                                 .takes = {"gpu", "model", "weights_dtype"},
                                 .likeness = likeness,
                                 .read = read});
}

}  // namespace plimsoll
