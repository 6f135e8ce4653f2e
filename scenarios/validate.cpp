#include "scenarios/validate.hpp"

#include <algorithm>
#include <cmath>

#include "model/base/units_text.hpp"
#include "scenarios/error_summary.hpp"
#include "scenarios/measured_row.hpp"

namespace plimsoll {
namespace {

constexpr std::size_t ttft = 0, tpot = 1, users = 2, request_rate = 3;

/// Little's law without any think time is the most that a rate can be: rate (TTFT + timed TPOT) <= users, `timed` of
/// the tokens of an answer being what TPOT is the mean over.
bool rate_is_consistent(const ValidationRow& row, double timed) {
    const auto& v = row.values;
    if (!v[ttft].measured || !v[tpot].measured || !v[users].measured) return true;
    return *v[request_rate].measured * (*v[ttft].measured + timed * *v[tpot].measured) <= *v[users].measured;
}

void predict(ValidationRow& row, const RowPredictor& predictor, double timed, bool search_users) {
    auto& v = row.values;
    if (v[users].measured) {
        const InstanceMeans run = predictor.at(static_cast<int>(*v[users].measured));
        v[ttft].predicted = run.ttft.value();
        v[tpot].predicted = run.tpot.value();
        v[request_rate].predicted = run.request_rate.value();
    }
    if (search_users && v[ttft].measured && v[tpot].measured)
        v[users].predicted = predictor.most_users(*v[ttft].measured, *v[tpot].measured);
    if (v[request_rate].measured && !rate_is_consistent(row, timed))
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
    if (!a.scheduler.empty()) text.push_back("scheduler: " + a.scheduler + ", in the place of the engine's own");
    if (a.max_waiting_tokens)
        text.push_back("max_waiting_tokens: " + std::to_string(*a.max_waiting_tokens) +
                       " where no rule says otherwise");
    if (a.tpot_over_tokens) text.emplace_back("TPOT: time after the first token over all tokens of a request");
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
        if (rule.think_time) what += ", think time " + to_text(Seconds(rule.think_time->mean())) + " in the mean";
        if (rule.requests) what += ", a queue of " + std::to_string(*rule.requests) + " requests at least";
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

std::vector<std::string> validated_table_columns() {
    return {"model",         "gpu",           "gpu_mem_gb", "link",   "tp",     "load",
            "prompt_tokens", "output_tokens", "users",      "ttft_s", "tpot_s", "request_rate_per_s"};
}

Validation validate(const Csv& table, const ValidationAssumptions& assumptions, Catalog& catalog) {
    table.require(validated_table_columns());
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
        const MeasuredRow prepared = measured_row(table, i, assumptions, catalog);
        row.tensor_parallel = prepared.deployment.tensor_parallel;
        row.skipped = prepared.problem;
        if (!row.skipped.empty()) continue;
        row.node = prepared.deployment.node->name;
        const RowPredictor predictor(prepared.deployment, prepared, assumptions);
        row.skipped = predictor.problem();
        if (!row.skipped.empty()) continue;
        if (row.values[users].measured) row.requests = predictor.queue(static_cast<int>(*row.values[users].measured));
        predict(row, predictor, prepared.workload.output.mean() - (assumptions.tpot_over_tokens ? 0 : 1),
                assumptions.search_users);
        if (prepared.requests) scaled["requests"] = "requests of a queue: the row's own, where it has them";
        if (prepared.prompt_scale != 1.0)
            scaled[row.load] = "prompts of '" + row.load +
                               "' rows: " + std::to_string(prepared.prompt_scale).substr(0, 4) +
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
