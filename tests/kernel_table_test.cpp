// Tables of measured kernels: what is read, chosen and refused.
#include "calibrate/kernel_table.hpp"

#include <set>

#include "calibrate/fit_report.hpp"
#include "tests/catch.hpp"
#include "tests/kernel_rows.hpp"
#include "tests/library.hpp"

using namespace plimsoll;

namespace {

const std::string header = "source,gpu,framework,dtype,m,n,k,seconds\n";

KernelTable read(const std::string& rows, const std::vector<RowCondition>& conditions = {}) {
    return read_kernel_table(Csv::from_text(header + rows, "table.csv"), conditions, testing::library());
}

const std::string plain =
    "me,a100-80gb-sxm,lib,bf16,16,4096,4096,2.6e-5\n"
    "me,a100-80gb-sxm,lib,bf16,512,4096,4096,8.1e-5\n"
    "me,a100-80gb-sxm,lib,bf16,1024,4096,4096,1.5e-4\n";

}  // namespace

TEST_CASE("a row of a GEMM table becomes an operator of its group") {
    const KernelTable table = read(plain);
    REQUIRE(table.rows.size() == 3);
    const KernelRow& row = table.rows[1];
    CHECK(row.group == KernelGroup{"gemm", "a100-80gb-sxm", "lib", "", "bf16", ""});
    CHECK(row.place == "table.csv:3");
    CHECK(row.op.work.flop.value() == 2.0 * 512 * 4096 * 4096);
    // Weights, activations in and out, two bytes each.
    CHECK((row.op.work.bytes_read + row.op.work.bytes_written).value() == 2.0 * (4096 * 4096 + 2 * 512 * 4096));
}

TEST_CASE("a single token of query is decode, more are prefill, and sizes must agree") {
    const std::string columns =
        "source,gpu,framework,dtype,kv_dtype,batch,query_len,kv_len,heads,kv_heads,head_dim,seconds\n";
    const auto attention = [&](const std::string& row) {
        return read_kernel_table(Csv::from_text(columns + row + "\n", "table.csv"), {}, testing::library());
    };
    const KernelTable decode = attention("me,a100-80gb-sxm,lib,bf16,fp8,4,1,1000,32,8,128,3e-5");
    CHECK(decode.rows.front().group.kernel == "attention_decode");
    // Keys and values of 8 heads of 128, one byte each, for 4 x 1000 tokens; queries in and outputs out, two bytes.
    CHECK((decode.rows.front().op.work.bytes_read + decode.rows.front().op.work.bytes_written).value() ==
          4 * 1000 * 2 * 8 * 128 + 2 * (4 * 32 * 128 * 2));
    const KernelTable prefill = attention("me,a100-80gb-sxm,lib,bf16,bf16,1,100,100,32,8,128,3e-5");
    CHECK(prefill.rows.front().group.kernel == "attention_prefill");
    CHECK(prefill.rows.front().op.pairs == 5050);
    CHECK_THROWS_WITH(attention("me,a100-80gb-sxm,lib,bf16,bf16,1,200,100,32,8,128,3e-5"),
                      ContainsSubstring("table.csv:2 query_len"));
    CHECK_THROWS_WITH(attention("me,a100-80gb-sxm,lib,bf16,bf16,1,100,100,4,8,128,3e-5"),
                      ContainsSubstring("table.csv:2 heads"));
}

TEST_CASE("conditions choose rows, and what they leave out need not be known") {
    const std::string rows = plain + "me,unheard-of,lib,bf16,16,4096,4096,2.6e-5\n";
    CHECK_THROWS_WITH(read(rows), ContainsSubstring("table.csv:5 gpu") && ContainsSubstring("unheard-of"));
    CHECK(read(rows, {parse_condition("gpu=a100-80gb-sxm")}).rows.size() == 3);
    CHECK(read(plain, {parse_condition("m>=512")}).rows.size() == 2);
    CHECK(read(plain, {parse_condition("m<=512"), parse_condition("m>=17")}).rows.size() == 1);
    CHECK(read(plain, {parse_condition("m=16.0")}).rows.size() == 1);
    CHECK(read(plain, {parse_condition("framework=other")}).rows.empty());
    CHECK_THROWS_WITH(read(plain, {parse_condition("width=1")}), ContainsSubstring("unknown column 'width'"));
    CHECK_THROWS_WITH(read(plain, {parse_condition("gpu>=3")}), ContainsSubstring("table.csv:2 gpu"));
    CHECK_THROWS_WITH(parse_condition("m>16"), ContainsSubstring("only =, >= and <="));
    CHECK_THROWS_WITH(parse_condition("m"), ContainsSubstring("no condition"));
}

TEST_CASE("times and sizes that are no positive numbers are refused with their row") {
    for (const char* bad : {"-1e-5", "0", "nan", "inf", "1e308", "", "fast"})
        CHECK_THROWS_WITH(read(plain + "me,a100-80gb-sxm,lib,bf16,16,4096,8192," + bad + "\n"),
                          ContainsSubstring("table.csv:5 seconds"));
    CHECK_THROWS_WITH(read(plain + "me,a100-80gb-sxm,lib,bf16,-16,4096,4096,1e-5\n"),
                      ContainsSubstring("table.csv:5 m"));
    CHECK_THROWS_WITH(read(plain + "me,a100-80gb-sxm,lib,int3,16,4096,4096,1e-5\n"),
                      ContainsSubstring("table.csv:5 dtype"));
    CHECK_THROWS_WITH(read(plain + "me,a100-80gb-sxm,li"), ContainsSubstring("table.csv:5: expected 8 cells"));
    CHECK_THROWS_WITH(read("me,v100-16gb-pcie,lib,bf16,16,4096,4096,1e-4\n"),
                      ContainsSubstring("does not multiply bf16"));
    CHECK_THROWS_WITH(read_kernel_table(Csv::from_text("gpu,seconds\na100,1\n", "table.csv"), {}, testing::library()),
                      ContainsSubstring("no table of kernels"));
}

TEST_CASE("times in another unit are told by what the GPU could do") {
    CHECK_THROWS_WITH(read("me,a100-80gb-sxm,lib,bf16,16,4096,4096,2.6e-2\n"
                           "me,a100-80gb-sxm,lib,bf16,512,4096,4096,8.1e-2\n"),
                      ContainsSubstring("table.csv:2 seconds") && ContainsSubstring("milliseconds"));
    // One row among good ones is left out by name.
    const KernelTable table = read(plain + "me,a100-80gb-sxm,lib,bf16,64,4096,4096,2.9e-2\n");
    CHECK(table.rows.size() == 3);
    REQUIRE(table.implausible.size() == 1);
    CHECK_THAT(table.implausible.front(), ContainsSubstring("table.csv:5"));
}

TEST_CASE("repeats of a shape become their median") {
    const KernelTable table = read(plain +
                                   "me,a100-80gb-sxm,lib,bf16,16,4096,4096,2.8e-5\n"
                                   "me,a100-80gb-sxm,lib,bf16,16,4096,4096,9.9e-5\n");
    CHECK(table.rows.size() == 3);
    CHECK(table.duplicates == 2);
    CHECK(table.rows.front().seconds == 2.8e-5);
}

TEST_CASE("a split is the seed's, disjoint and complete") {
    const std::vector<KernelRow> rows = testing::made_up_gemms("gemm", {0.7, 0.6, 8e-6, 2.5, 0.5}, 0.0, 1);
    const auto places = [](const std::vector<KernelRow>& part) {
        std::set<std::string> result;
        for (const KernelRow& row : part) result.insert(row.place);
        return result;
    };
    for (const char* train : {"0.3", "30", "designed:30"}) {
        INFO(train);
        const RowSplit split = split_rows(rows, parse_train(train), 7);
        CHECK(split.train.size() == (std::string(train) == "0.3" ? 40 : 30));  // of 132
        CHECK(split.train.size() + split.test.size() == rows.size());
        std::set<std::string> all = places(split.train);
        all.merge(places(split.test));
        CHECK(all.size() == rows.size());
        CHECK(places(split_rows(rows, parse_train(train), 7).train) == places(split.train));
        CHECK(places(split_rows(rows, parse_train(train), 8).train) != places(split.train));
    }
    CHECK(split_rows(rows, {}, 1).test.empty());
    CHECK(split_rows(rows, parse_train("1000"), 1).train.size() == rows.size());
    for (const char* bad : {"0", "-1", "1.5", "designed:", "some"}) CHECK_THROWS(parse_train(bad));
    CHECK_THROWS_WITH(parse_train_per("m=6"), ContainsSubstring("ranks=COUNT"));
}

TEST_CASE("spread rows reach the ends of every size") {
    const std::vector<KernelRow> rows = testing::made_up_gemms("gemm", {0.7, 0.6, 8e-6, 2.5, 0.5}, 0.0, 1);
    const RowSplit split = split_rows(rows, parse_train("designed:30"), 1);
    double low = 1e9, high = 0;
    std::set<std::string> shapes;
    for (const KernelRow& row : split.train) {
        low = std::min(low, row.op.m), high = std::max(high, row.op.m);
        shapes.insert(row.shape);
    }
    CHECK(low <= 16);
    CHECK(high >= 4096);
    CHECK(shapes.size() >= 8);  // of 12
}

TEST_CASE("each rank count gets its spread sizes") {
    std::string rows = "source,gpu,topology,library,ranks,bytes,dtype,seconds\n";
    for (const int ranks : {2, 4})
        for (int i = 0; i < 20; ++i)
            rows += "me,a100-80gb-sxm,nvswitch,nccl," + std::to_string(ranks) + "," + std::to_string(1024 << i) +
                    ",fp16," + std::to_string(1e-5 + 1e-8 * (1 << i)) + "\n";
    const KernelTable table = read_kernel_table(Csv::from_text(rows, "table.csv"), {}, testing::library());
    const RowSplit split = split_rows(table.rows, parse_train_per("ranks=6"), 3);
    CHECK(split.train.size() == 12);
    double low = 1e18, high = 0;
    int of_two = 0;
    for (const KernelRow& row : split.train) {
        of_two += row.op.ranks == 2;
        low = std::min(low, row.op.work.message.value()), high = std::max(high, row.op.work.message.value());
    }
    CHECK(of_two == 6);
    double stood_for = 0;
    for (const KernelRow& row : split.train) stood_for += row.stands_for;
    CHECK(stood_for == 40);
    CHECK(low == 1024);
    CHECK(high == 1024 << 19);
}

TEST_CASE("nominal intervals hold their share of rows that were not fitted") {
    // Noise whose scale differs tenfold between rows has no bell shape; the intervals come from its own quantiles.
    std::vector<KernelRow> rows;
    for (std::uint64_t seed = 1; seed <= 6; ++seed)
        for (KernelRow row :
             testing::made_up_gemms("gemm", {0.7, 0.6, 8e-6, 2.5, 0.5}, seed % 2 == 0 ? 0.2 : 0.02, seed))
            rows.push_back(std::move(row));
    FitOptions options;
    options.forms = {"gemm"};
    const FitReport report = fit_and_judge(rows, parse_train("0.3"), 1, options, testing::library());
    const TestErrors& test = report.operators.front().test;
    CHECK(report.operators.front().kernel == "gemm");
    REQUIRE(test.n == 554);  // of 792
    // Four points and twice the standard error of a share of 554.
    const auto tolerance = [](double share) { return 0.04 + 2 * std::sqrt(share * (1 - share) / 554); };
    CHECK(std::abs(test.coverage50 - 0.5) < tolerance(0.5));
    CHECK(std::abs(test.coverage80 - 0.8) < tolerance(0.8));
    CHECK(std::abs(test.coverage90 - 0.9) < tolerance(0.9));
}
