#include "scenarios/measured_row.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "model/base/error.hpp"
#include "model/cost/kernel_choice.hpp"

namespace plimsoll {
namespace {

const ValidationAssumptions::Rule* rule_for(const ValidationAssumptions& assumptions, const Transformer& model,
                                            const std::string& load, Catalog& catalog) {
    for (const auto& rule : assumptions.rules) {
        const bool of_model =
            rule.models.empty() || std::any_of(rule.models.begin(), rule.models.end(), [&](const std::string& name) {
                return &catalog.models.at(name, "assumptions") == &model;
            });
        if (of_model && (rule.load.empty() || rule.load == load)) return &rule;
    }
    return nullptr;
}

/// Whether a row says itself what is otherwise assumed of all.
bool own(const Csv& table, std::size_t row, const char* column) {
    return table.has(column) && !table.text(row, column).empty();
}

/// The entries of that name or alias; tables of others write blanks where the catalog has hyphens ("A100 SXM").
template <class Entry>
std::vector<const Entry*> named(Shelf<Entry>& shelf, std::string name) {
    std::vector<const Entry*> found = shelf.candidates(name);
    if (!found.empty()) return found;
    std::replace(name.begin(), name.end(), ' ', '-');
    return shelf.candidates(name);
}

/// The one that was found; the problem names what was looked for.
template <class Entry>
const Entry* the_only(const std::vector<const Entry*>& found, const std::string& kind, const std::string& name,
                      std::string& problem) {
    if (found.size() == 1) return found.front();
    problem = (found.empty() ? "no " : "several ") + kind + "s fit '" + name + "'";
    return nullptr;
}

/// Names of dtypes elsewhere, in small letters with hyphens, and here.
constexpr std::pair<std::string_view, std::string_view> dtype_spellings[] = {
    {"f32", "fp32"},     {"float32", "fp32"}, {"float", "fp32"},   {"f16", "fp16"},
    {"float16", "fp16"}, {"half", "fp16"},    {"bfloat16", "bf16"}};

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
    return text;
}

/// Whether a link is of the modules whose GPUs NVLink joins ("NVLink/NVSwitch") rather than of cards ("PCIe 4.0",
/// "NVLink bridge"); nothing where the cell is empty, doubted, or names neither.
std::optional<bool> is_sxm(std::string link) {
    link = lower(link);
    if (is_doubted(link)) return std::nullopt;
    if (link.starts_with("pcie") || link.starts_with("nvlink bridge")) return false;
    if (link.starts_with("nvlink")) return true;
    return std::nullopt;
}

}  // namespace

const Node* node_for(const Gpu& gpu, int gpus, Catalog& catalog) {
    const Node* best = nullptr;
    for (const std::string& name : catalog.nodes.names()) {
        const Node& node = catalog.nodes.at(name, name);
        if (node.gpu == gpu.name && node.gpus >= gpus && (best == nullptr || node.gpus > best->gpus)) best = &node;
    }
    return best;
}

const Gpu* gpu_of_row(const Csv& table, std::size_t row, Catalog& catalog, std::string& problem) {
    const double memory = table.number(row, "gpu_mem_gb").value_or(0.0) * 1e9;
    const std::string& name = table.text(row, "gpu");
    std::vector<const Gpu*> found = named(catalog.gpus, name);
    // Tables print decimal or binary gigabytes, of the label or of what the driver reports.
    std::erase_if(found, [&](const Gpu* gpu) {
        return memory > 0 && (memory <= 0.9 * gpu->usable_memory.value.value() || memory >= 1.1 * gpu->memory.value());
    });
    if (const auto sxm = is_sxm(table.has("link") ? table.text(row, "link") : ""); sxm && found.size() > 1)
        std::erase_if(found, [&](const Gpu* gpu) { return (gpu->form_factor == "sxm") != *sxm; });
    return the_only(found, catalog.gpus.kind(), name, problem);
}

const Transformer* model_of_row(const Csv& table, std::size_t row, Catalog& catalog, std::string& problem) {
    const std::string& name = table.text(row, "model");
    return the_only(named(catalog.models, name), catalog.models.kind(), name, problem);
}

std::optional<Dtype> dtype_of_row(const Csv& table, std::size_t row, std::string& problem) {
    std::string name = lower(table.text(row, "weights_dtype"));
    std::replace_if(
        name.begin(), name.end(), [](char c) { return c == '_' || c == ' '; }, '-');
    for (const auto& [elsewhere, here] : dtype_spellings)
        if (name == elsewhere) name = here;
    const auto found = std::find(dtype_names.begin(), dtype_names.end(), name);
    if (found != dtype_names.end()) return static_cast<Dtype>(found - dtype_names.begin());
    problem = "no dtype fits '" + table.text(row, "weights_dtype") + "'";
    return std::nullopt;
}

MeasuredRow measured_row(const Csv& table, std::size_t row, const ValidationAssumptions& assumptions,
                         Catalog& catalog) {
    MeasuredRow result;
    Deployment& d = result.deployment;
    const std::string place = table.place(row);
    const auto prompt = table.number(row, "prompt_tokens"), output = table.number(row, "output_tokens");
    if (!prompt || !output) {
        result.problem = "no prompt or output length";
        return result;
    }
    d.model = model_of_row(table, row, catalog, result.problem);
    if (d.model == nullptr) return result;
    d.tensor_parallel = static_cast<int>(table.number(row, "tp").value_or(1));
    if (assumptions.node.empty()) {
        d.gpu = gpu_of_row(table, row, catalog, result.problem);
        if (d.gpu == nullptr) return result;
        d.node = node_for(*d.gpu, d.tensor_parallel, catalog);
    } else {
        d.node = &catalog.nodes.at(assumptions.node, "--node");
        d.gpu = &catalog.gpus.at(d.node->gpu, d.node->name);
    }
    if (d.node == nullptr || d.tensor_parallel > d.node->gpus) {
        result.problem = "no node of the database has " + std::to_string(d.tensor_parallel) + " of these GPUs";
        return result;
    }
    const Engine& engine = own(table, row, "engine") ? catalog.engines.at(table.text(row, "engine"), place + " engine")
                                                     : catalog.engines.at(assumptions.engine, "--engine");
    result.engine = std::make_unique<Engine>(with_limits_of(engine, *d.gpu));
    d.engine = result.engine.get();
    d.weights =
        own(table, row, "weights") ? parse_dtype(table.text(row, "weights"), place + " weights") : assumptions.weights;
    d.max_sequences = d.engine->max_sequences;
    set_kernels(d, catalog, assumptions.profiles);
    std::string workload = table.text(row, "load");
    if (!assumptions.scheduler.empty()) result.engine->scheduler = assumptions.scheduler;
    if (assumptions.max_waiting_tokens) result.engine->max_waiting_tokens = assumptions.max_waiting_tokens;
    result.think_time = assumptions.think_time;
    result.least_requests = assumptions.requests;
    if (const auto* rule = rule_for(assumptions, *d.model, workload, catalog)) {
        if (rule->max_waiting_tokens) result.engine->max_waiting_tokens = rule->max_waiting_tokens;
        if (rule->reserved_output_tokens) result.engine->reserved_output_tokens = rule->reserved_output_tokens;
        if (!rule->workload.empty()) workload = rule->workload;
        result.think_time = rule->think_time.value_or(result.think_time);
        result.least_requests = rule->requests.value_or(result.least_requests);
    }
    result.workload = catalog.workloads.at(workload, place + " load");
    result.prompt_scale = assumptions.prompt_scale.value_or(result.workload.printed_prompt_scale);
    result.workload.prompt = result.workload.prompt.with_mean(*prompt * result.prompt_scale);
    result.workload.output = result.workload.output.with_mean(*output);
    if (const auto requests = table.number(row, "requests")) {
        if (*requests < 1 || *requests > 1e7 || *requests != std::floor(*requests))
            throw InputError(place + " requests", "must be a whole number from 1 to 1e7");
        result.requests = static_cast<int>(*requests);
    }
    return result;
}

RowPredictor::RowPredictor(const Deployment& deployment, const MeasuredRow& row,
                           const ValidationAssumptions& assumptions)
    : deployment_(deployment), row_(row), assumptions_(assumptions) {
    if (!problem().empty()) return;
    instance_.emplace(deployment, &row.workload);
    runner_.emplace(*instance_, row.workload, row.think_time);
}

std::string RowPredictor::problem() const {
    return refusal_of(deployment_).value_or("");
}

int RowPredictor::queue(int users) const {
    return row_.requests ? std::max(*row_.requests, users) : queue_for(users, row_.least_requests);
}

InstanceMeans RowPredictor::at(int users) const {
    // A steady state has many times the requests of a short queue.
    return at(users, assumptions_.steady_state ? searched_runs / 3 : shown_runs);
}

InstanceMeans RowPredictor::at(int users, std::uint32_t runs) const {
    InstanceLoad load{.users = static_cast<std::uint32_t>(users),
                      .steady_state = assumptions_.steady_state,
                      .ramp = assumptions_.ramp,
                      .tpot_over_tokens = assumptions_.tpot_over_tokens,
                      .runs = runs};
    load.requests = static_cast<std::uint64_t>(load.steady_state ? std::max(2000, 10 * users) : queue(users));
    return runner_->run(load);
}

int RowPredictor::most_users(double ttft_limit, double tpot_limit) const {
    const auto holds = [&](int n) {
        const InstanceMeans means = at(n, assumptions_.steady_state ? 1 : searched_runs);
        return means.ttft.value() <= ttft_limit && means.tpot.value() <= tpot_limit;
    };
    int good = 0, bad = 1;
    while (bad <= 8192 && holds(bad)) {
        good = bad;
        bad *= 2;
    }
    while (bad - good > 1) {
        const int middle = (good + bad) / 2;
        (holds(middle) ? good : bad) = middle;
    }
    return good;
}

}  // namespace plimsoll
