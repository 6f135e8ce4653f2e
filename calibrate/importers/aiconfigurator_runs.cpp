#include <optional>

#include <fmt/format.h>

#include "calibrate/import_text.hpp"
#include "model/base/error.hpp"
#include "model/base/units_text.hpp"

// The table of runs that AIConfigurator holds its predictions against (tests/regression: silicon_ttft_ms,
// silicon_tpot_ms). What the client had under way stands in silicon_data_source, "...; silicon_concurrency=16; ...".
namespace plimsoll {
namespace {

/// The value of "key=value" between semicolons.
std::optional<std::string> part(std::string_view text, std::string_view key) {
    while (!text.empty()) {
        const std::size_t end = text.find(';');
        const std::string_view one = trimmed(text.substr(0, end));
        if (one.size() > key.size() && one.starts_with(key) && one[key.size()] == '=')
            return std::string(one.substr(key.size() + 1));
        if (end == text.npos) break;
        text.remove_prefix(end + 1);
    }
    return std::nullopt;
}

/// The library's engine; nothing for one that it does not have.
std::optional<std::string> engine_of(const std::string& backend, const std::string& version) {
    if (backend == "sglang") return "sglang";
    if (backend == "trtllm") return "tensorrt-llm";
    if (backend != "vllm" || version.empty()) return std::nullopt;
    // Steps are composed ahead by default since 0.14.
    const std::size_t dot = version.find('.');
    const bool major = version.substr(0, dot) != "0" || dot == version.npos;
    const bool two_digits = !major && version.size() > dot + 2 && version[dot + 2] >= '0' && version[dot + 2] <= '9';
    const bool ahead = major || (two_digits && version.substr(dot + 1, 2) >= "14");
    return ahead ? "vllm-v1-async" : "vllm-v1";
}

class Rows {
  public:
    Rows(const MeasuredText& text, const GivenColumns& given)
        : given_(given),
          runs_(Csv::from_text(text.text, text.name)),
          result_{Csv::with_columns(
                      {"source", "model", "gpu", "gpu_mem_gb", "link", "tp", "load", "prompt_tokens", "output_tokens",
                       "users", "ttft_s", "tpot_s", "request_rate_per_s", "requests", "engine", "weights"},
                      text.name),
                  {}} {
        runs_.require({"silicon_data_source", "backend", "backend_version", "model_path", "system", "precision", "mode",
                       "isl", "osl", "tp_size", "silicon_ttft_ms", "silicon_tpot_ms"});
    }

    Imported take() {
        for (std::size_t row = 0; row < runs_.rows(); ++row) {
            if (const std::string why = unusable(row); !why.empty())
                result_.left_out.push_back(runs_.place(row) + ": " + why);
            else
                add(row);
        }
        return std::move(result_);
    }

  private:
    [[nodiscard]] std::optional<std::string> users(std::size_t row) const {
        return part(runs_.text(row, "silicon_data_source"), "silicon_concurrency");
    }
    [[nodiscard]] bool several(std::size_t row, const char* column) const {
        return runs_.has(column) && runs_.number(row, column).value_or(1) > 1;
    }
    [[nodiscard]] std::optional<std::string> weights(std::size_t row) const {
        const std::string& precision = runs_.text(row, "precision");
        if (precision.empty()) return "bf16";
        if (const auto given = given_.find("weights"); given != given_.end()) return given->second;
        if (precision == "fp8") return precision;
        return std::nullopt;
    }

    /// Why a run is not of the kind that is compared, if so.
    [[nodiscard]] std::string unusable(std::size_t row) const {
        if (runs_.text(row, "mode") != "agg") return "prefill and decode apart, or another mode than 'agg'";
        if (!users(row)) return "how many requests were under way is not said (silicon_concurrency)";
        if (several(row, "attention_dp_size")) return "several groups of attention ranks";
        if (several(row, "pp_size")) return "a pipeline";
        if (!engine_of(runs_.text(row, "backend"), runs_.text(row, "backend_version")))
            return "no engine of the library for " + runs_.text(row, "backend") + " " +
                   runs_.text(row, "backend_version");
        if (!weights(row))
            return "what weights '" + runs_.text(row, "precision") + "' are is not said (--column weights=DTYPE)";
        return {};
    }

    [[nodiscard]] double positive(std::size_t row, const char* column, double per_unit) const {
        const auto value = runs_.number(row, column);
        if (!value || !(*value > 0) || !(*value < 1e12))
            throw InputError(runs_.place(row) + " " + column, "must be a number above zero");
        return *value * per_unit;
    }

    void add(std::size_t row) {
        std::string gpu = runs_.text(row, "system");
        for (char& c : gpu)
            if (c == '_') c = '-';
        const double at_once = whole(*users(row), row);
        const auto given = given_.find("load");
        result_.table.add_row(
            runs_.place(row),
            {"aiconfigurator", runs_.text(row, "model_path"), gpu, "", "", number_text(positive(row, "tp_size", 1)),
             given == given_.end() ? "fixed" : given->second, number_text(positive(row, "isl", 1)),
             number_text(positive(row, "osl", 1)), number_text(at_once),
             number_text(positive(row, "silicon_ttft_ms", 1e-3)), number_text(positive(row, "silicon_tpot_ms", 1e-3)),
             "", number_text(10 * at_once), *engine_of(runs_.text(row, "backend"), runs_.text(row, "backend_version")),
             *weights(row)});
    }

    [[nodiscard]] double whole(const std::string& text, std::size_t row) const {
        const bool digits = !text.empty() && text.size() < 7 && text.find_first_not_of("0123456789") == text.npos;
        if (!digits || text == "0")
            throw InputError(runs_.place(row) + " silicon_data_source",
                             "silicon_concurrency must be a whole number from 1 to 999999, got " + in_quotes(text));
        return std::stod(text);
    }

    const GivenColumns& given_;
    Csv runs_;
    Imported result_;
};

Likeness likeness(std::string_view text) {
    const std::string_view first = text.substr(0, text.find('\n'));
    return first.find("silicon_ttft_ms") != first.npos && first.find("silicon_data_source") != first.npos
               ? Likeness::sure
               : Likeness::none;
}

Imported read(const MeasuredText& text, const GivenColumns& given) {
    return Rows(text, given).take();
}

}  // namespace

void register_aiconfigurator_runs(Registry<Importer>& registry) {
    registry.add("aiconfigurator_runs",
                 {.description = "CSV of the measured runs that AIConfigurator compares itself with",
                  .gives = {MeasuredKind::serving},
                  .takes = {"load", "weights"},
                  .likeness = likeness,
                  .read = read});
}

}  // namespace plimsoll
