#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "cli/command.hpp"
#include "cli/plan_document.hpp"
#include "cli/scenario_options.hpp"
#include "cli/session.hpp"
#include "model/base/error.hpp"
#include "model/capacity/planner.hpp"
#include "model/cost/kernel_choice.hpp"
#include "model/cost/step_cost.hpp"

namespace plimsoll {
namespace {

/// A deployment and the two steps to take apart.
struct Case {
    Deployment deployment;
    double prompt = 0;   ///< tokens
    double batch = 0;    ///< sequences
    double context = 0;  ///< tokens of each
};

template <class Entry>
const Entry& named(const Arguments& arguments, const std::string& option, Shelf<Entry>& shelf) {
    const auto& values = arguments.values(option);
    if (values.size() > 1) throw InputError("--" + option, "one name at a time");
    return shelf.at(values.front(), "--" + option);
}

int degree(const Arguments& arguments, const std::string& option) {
    return arguments.integer(option, {1, 1024}).value_or(1);
}

void check_complete(const Arguments& arguments) {
    std::string missing;
    for (const char* option : {"model", "node", "engine"})
        if (!arguments.given(option)) missing += (missing.empty() ? "--" : ", --") + std::string(option);
    if (!missing.empty()) throw InputError("explain", "give a scenario file, or also " + missing + "; see --help");
}

Case case_of_options(const Arguments& arguments, Catalog& catalog) {
    check_complete(arguments);
    Case result;
    Deployment& d = result.deployment;
    d.model = &named(arguments, "model", catalog.models);
    d.node = &named(arguments, "node", catalog.nodes);
    d.gpu = &catalog.gpus.at(d.node->gpu, "--node");
    d.engine = &catalog.engine_on(named(arguments, "engine", catalog.engines), *d.gpu);
    d.weights = d.model->native_dtype;
    if (const auto weights = arguments.value("weights")) d.weights = parse_dtype(*weights, "--weights");
    d.tensor_parallel = degree(arguments, "tensor-parallel");
    d.pipeline_parallel = degree(arguments, "pipeline-parallel");
    d.expert_parallel = degree(arguments, "expert-parallel");
    d.attention_data_parallel = degree(arguments, "attention-data-parallel");
    d.context_parallel = degree(arguments, "context-parallel");
    d.hosts_per_instance = degree(arguments, "hosts-per-instance");
    d.instances_per_node = std::max(1, d.node->gpus / std::max(1, d.gpus_per_host()));
    d.max_sequences = d.engine->max_sequences;
    const auto profile = arguments.value("profile");
    set_kernels(d, catalog, profile ? profile_choice(*profile, "--profile", catalog) : ProfileChoice{});
    result.prompt = 1024;
    result.batch = 1;
    result.context = 1024;
    return result;
}

Case case_of_scenario(const std::string& file, const Arguments& arguments, Catalog& catalog) {
    const Scenario scenario = read_scenario(file, overrides_of(arguments), catalog);
    const Plan planned = plan(scenario, catalog);
    const Answer* answer = nullptr;
    for (const Transformer* model : scenario.models)
        if (!answer) answer = best_answer(planned, model);
    if (!answer) throw InputError(file, "nothing to explain: no candidate keeps the promises; see plimsoll plan");
    const Candidate& best = *answer->best;
    Case result{.deployment = best.deployment};
    result.prompt = std::max(1.0, std::round(scenario.workload.prompt.mean()));
    result.batch = std::max(1.0, std::round(best.at_load.running));
    result.context = std::max(1.0, std::round(best.at_load.running > 0 ? best.at_load.kv_tokens / best.at_load.running
                                                                       : scenario.workload.mean_tokens()));
    return result;
}

void check(const Deployment& d, const Architecture& architecture) {
    if (d.gpus_per_instance() > d.node->gpus * d.hosts_per_instance)
        throw InputError("explain",
                         fmt::format("TP{} x PP{} needs {} GPUs; {} has {}", d.tensor_parallel, d.pipeline_parallel,
                                     d.gpus_per_instance(), d.node->name, d.node->gpus));
    if (const auto why = adapter_refusal(d)) throw InputError("explain", *why);
    if (const auto why = architecture.refusal(split_of(d))) throw InputError("explain", d.model->name + ": " + *why);
    if (const auto why = engine_refusal(d)) throw InputError("explain", *why);
    if (!d.gpu->supports(arithmetic_dtype(d.weights)))
        throw InputError("explain",
                         fmt::format("{} does not compute in {}; see --weights", d.gpu->name, to_string(d.weights)));
}

/// Operators of one name, summed.
struct Line {
    std::string name;
    double count = 0;
    Work work{};
    Seconds time{};
    std::string bound = {};
};

/// By the documents' names people get times only; the rest stands in the table before.
std::vector<Column> columns(bool documents) {
    const auto title = [=](const char* text) { return documents ? "" : text; };
    return {{"operator", "operator", 0},
            {"count", title("runs"), 6},
            {"flop", title("arithmetic"), 2},
            {"bytes", title("memory traffic"), 3},
            {"message_bytes", title("messages"), 4},
            {"time_s", "time", 0},
            {"share", "share", 0},
            {documents ? "" : "bound", title("bound by"), 1}};
}

Table table_of(const std::vector<Line>& lines, Seconds total, Table table) {
    for (const Line& line : lines) {
        const bool host = line.bound == "host";
        const bool message = line.work.message > Bytes(0);
        table.rows.push_back({line.name, host ? Cell() : Cell::count(line.count), host ? Cell() : Cell(line.work.flop),
                              host ? Cell() : Cell(line.work.bytes_read + line.work.bytes_written),
                              message ? Cell(line.work.message) : Cell(), line.time, Cell::fraction(line.time / total),
                              line.bound});
    }
    return table;
}

void add(std::vector<Line>& lines, const std::string& name, const Operator& op, double count, Seconds time,
         const std::string& bound) {
    auto line = std::find_if(lines.begin(), lines.end(), [&](const Line& l) { return l.name == name; });
    if (line == lines.end()) line = lines.insert(lines.end(), Line{.name = name, .bound = bound});
    line->count += count;
    line->work.flop += op.work.flop * count;
    line->work.bytes_read += op.work.bytes_read * count;
    line->work.bytes_written += op.work.bytes_written * count;
    line->work.message += op.work.message * count;
    line->time += time;
}

/// One step: a sentence, operator by operator, and under the documents' names.
void add_step(const StepCost& cost, const StepShape& shape, const std::string& key, const std::string& what,
              std::vector<Item>& items) {
    std::vector<Operator> operators;
    cost.operators(shape, operators);
    std::vector<Line> lines, documents;
    Seconds gpu;
    for (const Operator& op : operators) {
        const double count = op.count * cost.stages();
        const Seconds time = cost.kernels().time(op) * count;
        add(lines, std::string(op.name), op, count, time, std::string(to_string(cost.kernels().bound(op))));
        add(documents, std::string(op.document_name), op, count, time, "");
        gpu += time;
    }
    const Seconds beyond = cost.overlap().time(gpu, cost.host_launches(shape)) - gpu, serial = cost.host_serial(shape);
    const Seconds total = gpu + beyond + serial;
    for (std::vector<Line>* list : {&lines, &documents}) {
        list->push_back({.name = "host_launches_beyond_gpu", .time = beyond, .bound = "host"});
        list->push_back({.name = "host_serial", .time = serial, .bound = "host"});
    }
    items.push_back(Facts{key,
                          "",
                          {{"time_s", "", total},
                           {"gpu_s", "", gpu},
                           {"host_launches_s", "", cost.host_launches(shape)},
                           {"host_serial_s", "", serial},
                           {"prefill_tokens", "", Cell::count(shape.prefill_tokens)},
                           {"decode_sequences", "", Cell::count(shape.decode_sequences)},
                           {"context_tokens", "", Cell::count(shape.context_tokens)}}});
    items.push_back(table_of(
        lines, total, {key + ".operators", fmt::format("{} takes {}", what, to_text(total)), columns(false), {}}));
    items.push_back(
        table_of(documents, total,
                 {key + ".document_operators", "The same under the documents' operator names", columns(true), {}}));
}

Document run(const Arguments& arguments, Session& session) {
    const std::string file = arguments.value("SCENARIO").value_or("");
    Case chosen = file.empty() ? case_of_options(arguments, session.catalog())
                               : case_of_scenario(file, arguments, session.catalog());
    chosen.prompt = arguments.integer("prompt", {1, 1e7}).value_or(static_cast<int>(chosen.prompt));
    chosen.batch = arguments.integer("batch", {1, 1e6}).value_or(static_cast<int>(chosen.batch));
    chosen.context = arguments.integer("context", {1, 1e7}).value_or(static_cast<int>(chosen.context));
    const Deployment& d = chosen.deployment;
    const Architecture architecture(*d.model);
    check(d, architecture);
    const StepCost cost(architecture, d);

    Document document;
    document.items.push_back(Facts{
        "deployment",
        "",
        {{"model", "model", d.model->name},
         {"node", "node", d.node->name},
         {"gpu", "GPU", d.gpu->name},
         {"engine", "engine", d.engine->name},
         {"weights", "weights", to_string(d.weights)},
         {"tensor_parallel", "tensor parallel", Cell::count(d.tensor_parallel)},
         {"pipeline_parallel", d.pipeline_parallel > 1 ? "pipeline parallel" : "", Cell::count(d.pipeline_parallel)},
         {"expert_parallel", d.expert_parallel > 1 ? "expert parallel" : "", Cell::count(d.expert_parallel)},
         {"attention_data_parallel", d.attention_data_parallel > 1 ? "attention data parallel" : "",
          Cell::count(d.attention_data_parallel)},
         {"context_parallel", d.context_parallel > 1 ? "context parallel" : "", Cell::count(d.context_parallel)},
         {"hosts_per_instance", d.hosts_per_instance > 1 ? "hosts an instance" : "", Cell::count(d.hosts_per_instance)},
         {"origin", "weakest origin", to_string(cost.origin())}}});
    document.items.push_back(Paragraph{"Arithmetic, traffic and messages are of one GPU" +
                                       std::string(d.pipeline_parallel > 1 ? " of every pipeline stage." : ".")});
    add_step(
        cost,
        {.prefill_sequences = 1, .prefill_tokens = chosen.prompt, .attention_pairs = causal_pairs(chosen.prompt, 0)},
        "prefill", "One prefill of " + plural(chosen.prompt, "token"), document.items);
    add_step(
        cost, {.decode_sequences = chosen.batch, .context_tokens = chosen.batch * chosen.context}, "decode",
        fmt::format("One decode step of {} at {}", plural(chosen.batch, "sequence"), plural(chosen.context, "token")),
        document.items);
    return document;
}

}  // namespace

void register_explain(Registry<Command>& registry) {
    registry.add(
        "explain",
        {.summary = "Where the time of one prefill and one decode step goes, operator by operator",
         .description = "Takes the best deployment of a scenario's first model apart, at the batch that its plan "
                        "expects, or the deployment that the options name.",
         .examples = {"plimsoll explain --model llama-13b --node a100-40gb-sxm-8 --engine tgi-lightllm-2023 "
                      "--tensor-parallel 4 --batch 32 --context 500",
                      "plimsoll explain --model deepseek-v3 --node h200-141gb-sxm-8 --engine vllm-v1 --weights fp8 "
                      "--tensor-parallel 8 --expert-parallel 8 --attention-data-parallel 8 --batch 256",
                      "plimsoll explain scenarios/chat-10k-users.json --model llama-65b"},
         .positionals = {{.name = "SCENARIO", .help = "a scenario file", .required = false, .completes = "files"}},
         .options = {{.name = "model",
                      .value = "NAME",
                      .help = "model: a name, or the path of a config.json",
                      .completes = "models"},
                     {.name = "node", .value = "NAME", .help = "node type", .completes = "nodes"},
                     {.name = "engine", .value = "NAME", .help = "serving engine", .completes = "engines"},
                     {.name = "profile",
                      .value = "NAME",
                      .help = "the only profile of measured kernels to use, or none",
                      .completes = "profiles"},
                     {.name = "weights", .value = "DTYPE", .help = "weight dtype; the model's own if absent"},
                     {.name = "tensor-parallel", .value = "N", .help = "tensor-parallel degree; 1 if absent"},
                     {.name = "pipeline-parallel", .value = "N", .help = "pipeline degree; 1 if absent"},
                     {.name = "expert-parallel",
                      .value = "N",
                      .help = "tensor ranks that hold different experts; 1 if absent"},
                     {.name = "attention-data-parallel",
                      .value = "N",
                      .help = "groups of tensor ranks whose attention has requests of its own; 1 if absent"},
                     {.name = "context-parallel",
                      .value = "N",
                      .help = "tensor ranks that divide the context of a sequence; 1 if absent"},
                     {.name = "hosts-per-instance", .value = "N", .help = "nodes that an instance spans; 1 if absent"},
                     {.name = "prompt", .value = "N", .help = "tokens of the prefill; the scenario's mean, or 1024"},
                     {.name = "batch", .value = "N", .help = "sequences of the decode step; the plan's mean, or 1"},
                     {.name = "context", .value = "N", .help = "tokens of each; the plan's mean, or 1024"}},
         .run = run});
}

}  // namespace plimsoll
