#include "cli/scenario_options.hpp"

#include <algorithm>

#include "cli/field_options.hpp"
#include "model/base/error.hpp"
#include "model/spec/slo.hpp"

namespace plimsoll {
namespace {

std::vector<std::string> statistics() {
    return {statistic_names.begin(), statistic_names.end()};
}

std::vector<FieldOption> what_and_how() {
    return {
        {{.name = "model",
          .value = "NAME",
          .help = "models to serve: names, or paths of config.json files",
          .list = true,
          .completes = "models"},
         "models",
         Form::texts},
        {{.name = "node",
          .value = "NAME",
          .help = "node types that may be used, or all",
          .list = true,
          .completes = "nodes"},
         "nodes",
         Form::texts},
        {{.name = "engine", .value = "NAME", .help = "serving engines", .list = true, .completes = "engines"},
         "engines",
         Form::texts},
        {{.name = "weights", .value = "DTYPE", .help = "weight dtypes to try", .list = true}, "weights", Form::texts},
        {{.name = "kv-cache", .value = "DTYPE", .help = "dtype of the KV cache"}, "kv_cache", Form::text},
        {{.name = "tensor-parallel", .value = "N", .help = "tensor-parallel degrees to try", .list = true},
         "tensor_parallel",
         Form::numbers},
        {{.name = "pipeline-parallel", .value = "N", .help = "pipeline degrees to try", .list = true},
         "pipeline_parallel",
         Form::numbers},
        {{.name = "expert-parallel",
          .value = "N",
          .help = "degrees to try of experts on ranks of their own",
          .list = true},
         "expert_parallel",
         Form::numbers},
        {{.name = "attention-data-parallel",
          .value = "N",
          .help = "degrees to try of attention groups with requests of their own",
          .list = true},
         "attention_data_parallel",
         Form::numbers},
        {{.name = "context-parallel",
          .value = "N",
          .help = "degrees to try of ranks that divide the context of a sequence",
          .list = true},
         "context_parallel",
         Form::numbers},
        {{.name = "hosts-per-instance", .value = "N", .help = "nodes that an instance spans, to try", .list = true},
         "hosts_per_instance",
         Form::numbers},
        {{.name = "instances", .value = "N", .help = "instances per node to try", .list = true},
         "instances_per_node",
         Form::numbers},
        {{.name = "max-sequences", .value = "N", .help = "limits on running requests to try", .list = true},
         "max_sequences",
         Form::numbers},
        {{.name = "profile",
          .value = "NAME",
          .help = "the only profile of measured kernels to use, or none",
          .completes = "profiles"},
         "profile",
         Form::text},
    };
}

std::vector<FieldOption> load_and_promises() {
    return {
        {{.name = "users", .value = "N", .help = "registered users"}, "load.users", Form::number},
        {{.name = "active-share", .value = "F", .help = "share of them that is active at the same time"},
         "load.active_share",
         Form::number},
        {{.name = "peak-factor", .value = "F", .help = "peak load over mean load"}, "load.peak_factor", Form::number},
        {{.name = "rate", .value = "RATE", .help = "requests that arrive, instead of users, such as 12/s"},
         "load.rate",
         Form::text},
        {{.name = "think-time",
          .value = "TIME",
          .help = "between an answer and the user's next request: 2s in the mean, or fixed:2s"},
         "load.think_time",
         Form::text},
        {{.name = "workload", .value = "NAME", .help = "prompt and output lengths by name", .completes = "workloads"},
         "workload",
         Form::text},
        {{.name = "prompt-tokens", .value = "LENGTH", .help = "such as 900 or lognormal:mean=900,cv=1"},
         "prompt_tokens",
         Form::text},
        {{.name = "output-tokens", .value = "LENGTH", .help = "the same for the output"}, "output_tokens", Form::text},
        {{.name = "ttft", .value = "TIME", .help = "promised time to first token, such as 3.15s"},
         "slo.ttft",
         Form::promise},
        {{.name = "tpot", .value = "TIME", .help = "promised time per output token, such as 100ms"},
         "slo.tpot",
         Form::promise},
        {{.name = "e2e", .value = "TIME", .help = "promised time to the last token"}, "slo.e2e", Form::promise},
        {{.name = "statistic",
          .value = "WORD",
          .help = "the statistic that the promises are about",
          .choices = statistics(),
          .fallback = "mean"},
         "",
         Form::statistic},
        {{.name = "spares", .value = "N", .help = "nodes beyond those needed"}, "spares", Form::number},
        {{.name = "headroom", .value = "F", .help = "fraction of the capacity kept free"}, "headroom", Form::number},
        {{.name = "confidence",
          .value = "P",
          .help = "probability with which the nodes are to keep the promises, such as 0.9; the forecast's own nodes if "
                  "absent"},
         "confidence",
         Form::number},
        {{.name = "max-nodes", .value = "N", .help = "the most nodes that there may be, spares among them"},
         "max_nodes",
         Form::number},
        {{.name = "max-cost",
          .value = "PRICE",
          .help = "the most that all of them may cost, such as 40USD/h or '30000 USD/month'"},
         "max_cost",
         Form::text},
    };
}

const std::vector<FieldOption>& table() {
    static const std::vector<FieldOption> entries = [] {
        std::vector<FieldOption> all = what_and_how();
        for (FieldOption& entry : load_and_promises()) all.push_back(std::move(entry));
        return all;
    }();
    return entries;
}

std::string json_text(const std::string& text) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string result = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') result += '\\';
        if (byte < 0x20U)
            result += std::string("\\u00") + digits[byte >> 4U] + digits[byte & 15U];
        else
            result += c;
    }
    return result + "\"";
}

/// As typed where it looks like a number; the reader of the field refuses anything else by what it is.
std::string json_number(const std::string& text) {
    const bool numeric = text.find_first_not_of("0123456789+-.eE") == text.npos;
    return numeric ? text : json_text(text);
}

/// "period=1h,factor=5" as an object.
std::string json_object(const std::string& text, const std::string& place) {
    std::string object;
    for (std::size_t from = 0; from <= text.size();) {
        const std::size_t comma = std::min(text.find(',', from), text.size());
        const std::string part = text.substr(from, comma - from);
        const std::size_t equals = part.find('=');
        if (equals == part.npos || equals == 0)
            throw InputError(place, "expected KEY=VALUE,..., got " + in_quotes(part));
        object += (object.empty() ? "" : ",") + json_text(part.substr(0, equals)) + ":" +
                  json_number(part.substr(equals + 1));
        from = comma + 1;
    }
    return "{" + object + "}";
}

std::string json_value(const std::vector<std::string>& values, Form form, const std::string& place) {
    if (form == Form::flag) return "true";
    if (form == Form::members) return json_object(values.back(), place);
    const bool number = form == Form::number || form == Form::numbers;
    std::string list;
    for (const std::string& value : values)
        list += (list.empty() ? "" : ",") + (number ? json_number(value) : json_text(value));
    return form == Form::texts || form == Form::numbers ? "[" + list + "]" : list;
}

/// What a question without a file needs, and no default can stand for.
struct Needed {
    std::string options;
    std::vector<std::vector<std::string>> ways;  ///< fields that together are enough, for each way of saying it
    bool of_plans = false;                       ///< alone
};

const std::vector<Needed>& needed() {
    static const std::vector<Needed> all{
        {"--model", {{"models"}}},
        {"--users or --rate", {{"load"}}},
        {"--workload, or --prompt-tokens and --output-tokens",
         {{"workload"}, {"prompt_tokens", "output_tokens"}, {"load.classes"}, {"load.protocol"}}},
        {"--ttft, --tpot or --e2e", {{"slo"}}, true},
    };
    return all;
}

/// Refuses a question without a file that leaves out what no default can stand for, all of it at once. A simulation
/// needs no promises.
void check_complete(const std::vector<Override>& overrides, bool simulated) {
    const auto said = [&](const std::string& field) {
        return std::any_of(overrides.begin(), overrides.end(), [&](const Override& override) {
            return override.path == field || override.path.rfind(field + ".", 0) == 0;
        });
    };
    std::string missing;
    for (const Needed& part : needed())
        if (!(part.of_plans && simulated) && std::none_of(part.ways.begin(), part.ways.end(), [&](const auto& fields) {
                return std::all_of(fields.begin(), fields.end(), said);
            }))
            missing += (missing.empty() ? "" : "; ") + part.options;
    if (!missing.empty())
        throw InputError("command line", "a question without a scenario file also needs " + missing + "; see --help");
}

}  // namespace

const std::vector<Option>& scenario_options() {
    static const std::vector<Option> options = [] {
        std::vector<Option> all;
        for (const FieldOption& entry : table()) all.push_back(entry.option);
        all.push_back({.name = "set",
                       .value = "PATH=VALUE",
                       .help = "set any field of the scenario, such as cost.mode=rent; may be repeated",
                       .repeatable = true});
        return all;
    }();
    return options;
}

std::vector<Override> overrides_of(const Arguments& arguments) {
    std::vector<Override> overrides;
    bool promised = false;
    const auto take = [&](const FieldOption& entry) {
        if (!arguments.given(entry.option.name) || entry.form == Form::statistic) return;
        std::string path = entry.field;
        if (entry.form == Form::promise) {
            path += "_" + *arguments.value("statistic");
            promised = true;
        }
        const std::string place = "--" + entry.option.name;
        overrides.push_back({path, json_value(arguments.values(entry.option.name), entry.form, place), place});
    };
    for (const FieldOption& entry : table()) take(entry);
    for (const FieldOption& entry : simulation_field_options()) take(entry);
    if (arguments.given("statistic") && !promised)
        throw InputError("--statistic", "says nothing without --ttft, --tpot or --e2e");
    for (const std::string& setting : arguments.values("set")) {
        const std::size_t equals = setting.find('=');
        const std::string place = "--set " + setting.substr(0, 80);
        if (equals == setting.npos || equals == 0)
            throw InputError(place, "expected PATH=VALUE, such as load.users=10000");
        overrides.push_back({setting.substr(0, equals), setting.substr(equals + 1), place});
    }
    return overrides;
}

Scenario read_question(const std::string& file, const Arguments& arguments, Catalog& catalog,
                       SimulationTerms* simulation) {
    const std::vector<Override> overrides = overrides_of(arguments);
    if (!file.empty()) return read_scenario(file, overrides, catalog, simulation);
    check_complete(overrides, simulation != nullptr);
    return make_scenario("command line", overrides, catalog, simulation);
}

}  // namespace plimsoll
