// Fits of measured kernels, where such measurements are at hand: errors on rows that were not fitted.
#include <cmath>

#include "calibrate/fit_report.hpp"
#include "calibrate/row_condition.hpp"
#include "tests/catch.hpp"
#include "tests/library.hpp"

using namespace plimsoll;

namespace {

/// One group of a table, a rule for the rows to fit, and the mean absolute error that the others may have.
struct Measured {
    const char* file;
    std::vector<std::string> conditions;
    const char* train;
    double most;
};

std::vector<std::string> gemm(const std::string& gpu, const std::string& framework) {
    return {"gpu=" + gpu, "framework=" + framework, "n>=1024", "k>=1024"};
}
std::vector<std::string> prefill(const std::string& gpu, const std::string& framework) {
    return {"gpu=" + gpu, "framework=" + framework, "query_len>=128", "heads>=8"};
}
std::vector<std::string> decode(const std::string& gpu, const std::string& framework) {
    return {"gpu=" + gpu, "framework=" + framework, "kv_len>=256", "heads>=8", "group<=32"};
}

const std::string a100 = "a100-80gb-sxm", a30 = "a30-24gb-pcie", h200 = "h200-141gb-sxm";

TestErrors judged(const Measured& one, const std::string& file) {
    std::vector<RowCondition> conditions;
    for (const std::string& text : one.conditions) conditions.push_back(parse_condition(text));
    const KernelTable table = read_kernel_table(rows_where(Csv::from_file(file), conditions), testing::library());
    const std::string train = one.train;
    const SplitRule rule = train.starts_with("ranks=") ? parse_train_per(train) : parse_train(train);
    const FitReport report = fit_and_judge(table.rows, rule, 1, {}, testing::library());
    REQUIRE(report.operators.size() == 1);
    return report.operators.front().test;
}

}  // namespace

TEST_CASE("fits of measured kernels predict the rows that they had not seen") {
    const Measured all[] = {
        {"gemm.csv", gemm(a100, "vllm-0.14.0"), "0.3", 0.06},
        {"gemm.csv", gemm(a30, "sarathi-torch"), "0.3", 0.06},
        {"gemm.csv", gemm(a100, "vllm-0.14.0"), "30", 0.10},
        {"attention_prefill.csv", prefill(a100, "vllm-0.14.0"), "0.3", 0.05},
        {"attention_prefill.csv", prefill(a30, "flashinfer-vidur"), "0.3", 0.08},
        {"attention_prefill.csv", prefill(h200, "vllm-0.24.0"), "designed:60", 0.11},
        {"attention_decode.csv", decode(a100, "sglang-0.5.10"), "0.3", 0.07},
        {"attention_decode.csv", decode(h200, "vllm-0.24.0"), "0.3", 0.07},
        {"attention_decode.csv", decode(a30, "flashinfer-vidur"), "designed:60", 0.10},
        {"allreduce.csv", {"gpu=" + a100, "topology=nvswitch", "library=nccl-2.27.3"}, "ranks=6", 0.07},
    };
    for (const Measured& one : all) {
        const auto file = testing::measurements(std::string("kernels/") + one.file);
        if (!file) {
            WARN("skipped: no measured kernels; PLIMSOLL_SHARED names the folder with data/kernels/" << one.file);
            return;
        }
        const TestErrors errors = judged(one, *file);
        INFO(one.file << " " << one.conditions[0] << " " << one.conditions[1] << " " << one.train << ": "
                      << errors.mape);
        CHECK(errors.mape < one.most);
        // A share of the rows says what its intervals are worth: four points and two standard errors of the count.
        if (std::string(one.train) != "0.3") continue;
        const auto tolerance = [&](double share) {
            return 0.04 + 2 * std::sqrt(share * (1 - share) / static_cast<double>(errors.n));
        };
        CHECK(std::abs(errors.coverage50 - 0.5) < tolerance(0.5));
        CHECK(std::abs(errors.coverage80 - 0.8) < tolerance(0.8));
        CHECK(std::abs(errors.coverage90 - 0.9) < tolerance(0.9));
    }
}
