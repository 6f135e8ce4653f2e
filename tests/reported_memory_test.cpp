// The memory account against what engines logged: tests/data/reported_kv_memory.csv.
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "model/base/csv.hpp"
#include "model/capacity/planner.hpp"
#include "model/cost/memory.hpp"
#include "tests/catch.hpp"
#include "tests/library.hpp"

using namespace plimsoll;

namespace {

constexpr double gib = 1024.0 * 1024.0 * 1024.0;

/// One row, predicted: what is absent in the log is absent here.
struct Row {
    std::string name, note;
    Engine engine;
    Deployment deployment;
    MemoryBudget budget;
    double printed = 0;  ///< tokens as the engine counts them
    std::optional<double> weights, activations, kv, tokens;
};

double number(const Csv& table, std::size_t i, const char* column) {
    return table.number(i, column).value_or(0);
}

Row predicted(const Csv& table, std::size_t i) {
    Row row;
    const std::string& engine = table.text(i, "engine");
    row.engine = testing::library().engines.at(engine, table.place(i));
    row.engine.memory_fraction.value = number(table, i, "utilization");
    row.engine.max_step_tokens = row.engine.max_prefill_tokens = static_cast<int>(number(table, i, "step_tokens"));
    if (table.text(i, "mxfp4_kernels") == "marlin") row.engine.mxfp4_kernels = Mxfp4Kernels::marlin;
    if (table.text(i, "expert_workspace") == "kept") row.engine.expert_workspace_kept = true;
    row.deployment =
        testing::deployment(table.text(i, "model"), table.text(i, "node"), static_cast<int>(number(table, i, "tensor")),
                            static_cast<int>(number(table, i, "pipeline")));
    row.deployment.engine = &row.engine;
    row.deployment.max_sequences = static_cast<int>(number(table, i, "sequences"));
    row.deployment.weights = parse_dtype(table.text(i, "weights"), table.place(i));
    row.deployment.kv = parse_dtype(table.text(i, "kv"), table.place(i));
    row.budget = memory_budget(Architecture(*row.deployment.model), row.deployment);
    const double longest = table.number(i, "max_model_len").value_or(row.deployment.model->max_context);
    row.printed = printed_kv_tokens(row.budget, row.deployment, longest);
    row.name = table.text(i, "model") + " " + table.text(i, "weights") + ", " + table.text(i, "tensor") + " x " +
               row.deployment.gpu->name + ", " + engine + " " + table.text(i, "version");
    row.note = table.text(i, "note");
    row.weights = table.number(i, "weights_gib");
    row.activations = table.number(i, "activations_gib");
    row.kv = table.number(i, "kv_gib");
    row.tokens = table.number(i, "kv_tokens");
    return row;
}

double ratio(Bytes predicted, const std::optional<double>& logged) {
    return logged ? predicted.value() / (*logged * gib) : 1.0;
}

/// Predicted over logged tokens, or memory where the log has no tokens.
double kv_ratio(const Row& row) {
    return row.tokens ? row.printed / *row.tokens : ratio(row.budget.kv, row.kv);
}

std::string cell(bool there, double value) {
    char text[16];
    std::snprintf(text, sizeof text, "%9.3f", value);
    return there ? text : "        -";
}

}  // namespace

TEST_CASE("the memory account against the logs of engines") {
    const Csv table = Csv::from_file(PLIMSOLL_SOURCE_DIR "/tests/data/reported_kv_memory.csv");
    std::string text = "predicted over logged: weights, activations, KV; KV missed as a share of the GPU\n";
    double squares = 0;
    int counted = 0;
    for (std::size_t i = 0; i < table.rows(); ++i) {
        const Row row = predicted(table, i);
        const bool kv = row.kv || row.tokens;
        // What is missed of the cache, as a share of all memory: a small rest magnifies any error of the large parts.
        const double missed =
            (1.0 - 1.0 / kv_ratio(row)) * row.budget.kv.value() / row.deployment.gpu->usable_memory.value.value();
        text += cell(row.weights.has_value(), ratio(row.budget.weights, row.weights)) +
                cell(row.activations.has_value(), ratio(row.budget.activations, row.activations)) +
                cell(kv, kv_ratio(row)) + cell(kv, missed) + "  " + row.name + "\n";
        INFO(row.name << " " << row.note);
        if (row.weights) CHECK(ratio(row.budget.weights, row.weights) == Approx(1.0).epsilon(0.05));
        if (!kv) continue;
        squares += missed * missed;
        ++counted;
        CHECK(std::abs(missed) < 0.03);
        if (row.note.rfind("named", 0) == 0) CHECK(kv_ratio(row) == Approx(1.0).epsilon(0.05));
    }
    text += "root mean square of what is missed: " + cell(true, std::sqrt(squares / counted));
    CAPTURE(text);
    CHECK(counted >= 25);
    CHECK(std::sqrt(squares / counted) < 0.015);
}

TEST_CASE("four large deployments plan with memory that fits") {
    struct Named {
        const char *model, *node, *engine;
        int tensor;
        Dtype weights;
    };
    for (const Named& named : {Named{"deepseek-r1", "h200-141gb-sxm-8", "vllm-v1", 8, Dtype::fp8_block},
                               {"deepseek-r1", "k100ai-64gb-pcie-8", "vllm-v1", 8, Dtype::awq_int4},
                               {"mixtral-8x7b", "a100-80gb-sxm-8", "vllm-v1", 2, Dtype::bf16},
                               {"gpt-oss-120b", "h100-80gb-sxm-8", "vllm-v1", 1, Dtype::mxfp4}}) {
        INFO(named.model << " on " << named.node);
        Catalog& catalog = testing::library();
        Scenario scenario;
        scenario.models = {&catalog.models.at(named.model, "test")};
        scenario.nodes = {&catalog.nodes.at(named.node, "test")};
        scenario.engines = {&catalog.engines.at(named.engine, "test")};
        scenario.weights = {named.weights};
        scenario.tensor_parallel = {named.tensor};
        scenario.pipeline_parallel = {1};
        scenario.max_sequences = {256};  // the buffers of 1024 leave no room beside GPT-OSS-120B on one H100
        scenario.workload.prompt = Distribution::parse_tokens("512", "test");
        scenario.workload.output = Distribution::parse_tokens("512", "test");
        scenario.load.registered_users = 100;
        scenario.load.think_time = Distribution::uniform(1.0, 3.0);
        scenario.slo.terms = {{Metric::ttft, Statistic::mean, Seconds(30)},
                              {Metric::tpot, Statistic::mean, Seconds(1)}};
        const Plan planned = plan(scenario, catalog);
        REQUIRE(planned.answers.size() == 1);
        INFO(planned.answers[0].reason);
        REQUIRE(planned.answers[0].best);
        const MemoryBudget& memory = planned.answers[0].best->memory;
        CHECK(memory.kv > Bytes(0));
        CHECK((memory.fixed() + memory.kv).value() == Approx(memory.usable.value()));
        CHECK(memory.kv_tokens > 10'000);
    }
}
