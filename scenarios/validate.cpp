#include "scenarios/validate.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>

#include "model/base/units_text.hpp"
#include "model/cost/kernel_choice.hpp"
#include "scenarios/error_summary.hpp"
#include "scenarios/instance_run.hpp"

namespace plimsoll {
namespace {

/// Seeds that a shown value and a trial of the search are averaged over.
constexpr std::uint32_t shown_runs = 12, searched_runs = 6;
constexpr std::size_t ttft = 0, tpot = 1, users = 2, request_rate = 3;

/// One row's deployment, or why there is none.
struct Prepared {
    Deployment deployment;
    std::unique_ptr<Engine> engine;  ///< the library's with the row's rule applied
    Workload workload;
    std::string problem;
};

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

/// Every entry that answers to the name and passes the filter; the problem names what was looked for.
template <class Entry, class Filter>
const Entry* only(Shelf<Entry>& shelf, const std::string& name, Filter fits, std::string& problem) {
    std::vector<const Entry*> found = shelf.candidates(name);
    std::erase_if(found, [&](const Entry* entry) { return !fits(*entry); });
    if (found.size() == 1) return found.front();
    problem = (found.empty() ? "no " : "several ") + shelf.kind() + "s fit '" + name + "'";
    return nullptr;
}

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
    const bool nvlink = table.text(row, "link") == "nvlink";
    return only(
        catalog.gpus, table.text(row, "gpu"),
        [&](const Gpu& gpu) {
            // Tables print decimal or binary gigabytes, of the label or of what the driver reports.
            const bool size =
                memory <= 0 || (memory > 0.9 * gpu.usable_memory.value.value() && memory < 1.1 * gpu.memory.value());
            return size && (gpu.form_factor == "sxm") == nvlink;
        },
        problem);
}

Prepared prepare(const Csv& table, std::size_t row, const ValidationAssumptions& assumptions, Catalog& catalog) {
    Prepared result;
    Deployment& d = result.deployment;
    const std::string place = table.place(row);
    const auto prompt = table.number(row, "prompt_tokens"), output = table.number(row, "output_tokens");
    if (!prompt || !output) {
        result.problem = "no prompt or output length";
        return result;
    }
    d.model = only(
        catalog.models, table.text(row, "model"), [](const Transformer&) { return true; }, result.problem);
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
    result.engine = std::make_unique<Engine>(catalog.engines.at(assumptions.engine, "--engine"));
    d.engine = result.engine.get();
    d.weights = assumptions.weights;
    d.max_sequences = d.engine->max_sequences;
    set_kernels(d, catalog, assumptions.profiles);
    std::string workload = table.text(row, "load");
    if (const auto* rule = rule_for(assumptions, *d.model, workload, catalog)) {
        if (rule->max_waiting_tokens) result.engine->max_waiting_tokens = rule->max_waiting_tokens;
        if (rule->reserved_output_tokens) result.engine->reserved_output_tokens = rule->reserved_output_tokens;
        if (!rule->workload.empty()) workload = rule->workload;
    }
    result.workload = catalog.workloads.at(workload, place + " load");
    const double scale = assumptions.prompt_scale.value_or(result.workload.printed_prompt_scale);
    result.workload.prompt = result.workload.prompt.with_mean(*prompt * scale);
    result.workload.output = result.workload.output.with_mean(*output);
    return result;
}

/// Predicts runs of one deployment.
class Predictor {
  public:
    Predictor(const Prepared& prepared, const ValidationAssumptions& assumptions)
        : prepared_(prepared),
          assumptions_(assumptions),
          architecture_(*prepared.deployment.model),
          memory_(memory_budget(architecture_, prepared.deployment)) {}

    /// Why the deployment cannot run, if so.
    [[nodiscard]] std::string problem() const {
        const Split split{.tensor = prepared_.deployment.tensor_parallel};
        if (const auto why = architecture_.refusal(split)) return *why;
        if (const auto why = memory_.refusal(*prepared_.deployment.gpu)) return why->why;
        return "";
    }
    void fold() {
        cost_.emplace(architecture_, prepared_.deployment);
        runner_.emplace(*cost_, prepared_.deployment, memory_, prepared_.workload, assumptions_.think_time);
    }

    [[nodiscard]] InstanceMeans at(int population) const {
        // A steady state has many times the requests of a short queue.
        return at(population, assumptions_.steady_state ? searched_runs / 3 : shown_runs);
    }
    [[nodiscard]] InstanceMeans at(int population, std::uint32_t runs) const {
        InstanceLoad load{.users = static_cast<std::uint32_t>(population),
                          .steady_state = assumptions_.steady_state,
                          .ramp = assumptions_.ramp,
                          .runs = runs};
        load.requests = static_cast<std::uint64_t>(load.steady_state ? std::max(2000, 10 * population)
                                                                     : std::max(assumptions_.requests, 2 * population));
        return runner_->run(load);
    }

    /// Most users at which both means stay within the limits; 0 when one user is too many.
    [[nodiscard]] int most_users(double ttft_limit, double tpot_limit) const {
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

  private:
    const Prepared& prepared_;
    const ValidationAssumptions& assumptions_;
    Architecture architecture_;
    MemoryBudget memory_;
    std::optional<StepCost> cost_;
    std::optional<InstanceRunner> runner_;
};

/// Little's law without any think time is the most that a rate can be: rate (TTFT + output TPOT) <= users.
bool rate_is_consistent(const ValidationRow& row, double output) {
    const auto& v = row.values;
    if (!v[ttft].measured || !v[tpot].measured || !v[users].measured) return true;
    return *v[request_rate].measured * (*v[ttft].measured + output * *v[tpot].measured) <= *v[users].measured;
}

void predict(ValidationRow& row, const Predictor& predictor, double output, bool search_users) {
    auto& v = row.values;
    if (v[users].measured) {
        const InstanceMeans run = predictor.at(static_cast<int>(*v[users].measured));
        v[ttft].predicted = run.ttft.value();
        v[tpot].predicted = run.tpot.value();
        v[request_rate].predicted = run.request_rate.value();
    }
    if (search_users && v[ttft].measured && v[tpot].measured)
        v[users].predicted = predictor.most_users(*v[ttft].measured, *v[tpot].measured);
    if (v[request_rate].measured && !rate_is_consistent(row, output))
        v[request_rate].not_judged = "the row breaks Little's law: rate x (TTFT + output x TPOT) exceeds its users";
}

/// Error of predicting one row by the geometric mean of the others of its GPU, or of all where it is the only one.
double baseline_error(const std::vector<const ValidationRow*>& rows, std::size_t index, std::size_t column) {
    const auto log_mean = [&](bool same_gpu) -> std::optional<double> {
        double sum = 0, n = 0;
        for (std::size_t i = 0; i < rows.size(); ++i) {
            if (i == index || (same_gpu && rows[i]->gpu != rows[index]->gpu)) continue;
            sum += std::log(*rows[i]->values[column].measured);
            n += 1;
        }
        if (n == 0) return std::nullopt;
        return sum / n;
    };
    const auto of_gpu = log_mean(true);
    const auto guess = of_gpu ? of_gpu : log_mean(false);
    return guess ? std::abs(std::exp(*guess) / *rows[index]->values[column].measured - 1.0) : 0.0;
}

ValidationSummary summarize(const std::vector<ValidationRow>& all, std::size_t column, const std::string& gpu) {
    std::vector<const ValidationRow*> judged;
    for (const ValidationRow& row : all)
        if (row.values[column].error()) judged.push_back(&row);
    std::vector<double> errors, baselines;
    ValidationSummary summary;
    for (std::size_t i = 0; i < judged.size(); ++i) {
        if (!gpu.empty() && judged[i]->gpu != gpu) continue;
        errors.push_back(*judged[i]->values[column].error());
        baselines.push_back(baseline_error(judged, i, column));
        if (const double ratio = 1.0 + errors.back(); ratio >= 0.5 && ratio <= 2.0) ++summary.within_factor_two;
    }
    const ErrorSummary of = summary_of(errors);
    summary.n = of.n;
    summary.bias = of.bias;
    summary.median_ape = of.median;
    summary.p90_ape = of.p90;
    summary.baseline_median_ape = summary_of(baselines).median;
    return summary;
}

std::vector<std::string> state(const ValidationAssumptions& a, const std::vector<std::string>& scaled) {
    std::vector<std::string> text{
        "engine: " + a.engine,
        "node: " + (a.node.empty() ? "the largest of the row's GPU, memory and link in the database" : a.node),
        "weights: " + std::string(to_string(a.weights)), "think time: mean " + to_text(Seconds(a.think_time.mean())),
        a.steady_state ? std::string("protocol: steady state, statistics after a warm-up")
                       : "protocol: users start over " + to_text(a.ramp) + " and drain a shared queue of " +
                             std::to_string(a.requests) +
                             " requests, or of twice the users where that is more; means "
                             "over " +
                             std::to_string(shown_runs) + " runs with other lengths and think times, " +
                             std::to_string(searched_runs) + " in the search for users"};
    text.insert(text.end(), scaled.begin(), scaled.end());
    for (const auto& rule : a.rules) {
        std::string where;
        for (const std::string& model : rule.models) where += (where.empty() ? "" : ", ") + model;
        if (!rule.load.empty()) where += (where.empty() ? "" : " ") + rule.load;
        std::string what;
        if (!rule.workload.empty()) what += ", lengths of '" + rule.workload + "'";
        if (rule.max_waiting_tokens) what += ", max_waiting_tokens " + std::to_string(*rule.max_waiting_tokens);
        if (rule.reserved_output_tokens)
            what += ", at least " + std::to_string(*rule.reserved_output_tokens) + " output tokens reserved";
        text.push_back(where + what + ": " + rule.reason);
    }
    return text;
}

}  // namespace

std::optional<double> ValidatedValue::error() const {
    if (!measured || !predicted || !not_judged.empty() || *measured <= 0) return std::nullopt;
    return *predicted / *measured - 1.0;
}

int Validation::skipped() const {
    return static_cast<int>(
        std::count_if(rows.begin(), rows.end(), [](const auto& row) { return !row.skipped.empty(); }));
}

Validation validate(const Csv& table, const ValidationAssumptions& assumptions, Catalog& catalog) {
    table.require({"model", "gpu", "gpu_mem_gb", "link", "tp", "load", "prompt_tokens", "output_tokens", "users",
                   "ttft_s", "tpot_s", "request_rate_per_s"});
    Validation result;
    std::map<std::string, std::string> scaled;
    for (std::size_t i = 0; i < table.rows(); ++i) {
        ValidationRow& row = result.rows.emplace_back();
        row.place = table.place(i);
        row.model = table.text(i, "model");
        row.gpu = table.text(i, "gpu");
        row.load = table.text(i, "load");
        row.values[ttft].measured = table.number(i, "ttft_s");
        row.values[tpot].measured = table.number(i, "tpot_s");
        row.values[users].measured = table.number(i, "users");
        row.values[request_rate].measured = table.number(i, "request_rate_per_s");
        const Prepared prepared = prepare(table, i, assumptions, catalog);
        row.tensor_parallel = prepared.deployment.tensor_parallel;
        row.skipped = prepared.problem;
        if (!row.skipped.empty()) continue;
        row.node = prepared.deployment.node->name;
        Predictor predictor(prepared, assumptions);
        row.skipped = predictor.problem();
        if (!row.skipped.empty()) continue;
        predictor.fold();
        predict(row, predictor, prepared.workload.output.mean(), assumptions.search_users);
        const double scale = assumptions.prompt_scale.value_or(prepared.workload.printed_prompt_scale);
        if (scale != 1.0)
            scaled[row.load] = "prompts of '" + row.load + "' rows: " + std::to_string(scale).substr(0, 4) +
                               " of the printed tokens (see the workload's sources)";
    }
    std::vector<std::string> notes;
    for (const auto& [load, note] : scaled) notes.push_back(note);
    result.assumptions = state(assumptions, notes);
    for (std::size_t column = 0; column < validated_columns.size(); ++column) {
        result.summary[column] = summarize(result.rows, column, "");
        for (const ValidationRow& row : result.rows)
            if (row.skipped.empty()) result.by_gpu[row.gpu][column] = summarize(result.rows, column, row.gpu);
    }
    return result;
}

}  // namespace plimsoll
