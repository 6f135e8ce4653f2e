// Loads of the timed rank of a mixture, worked by hand.
#include "calibrate/routed_load.hpp"

#include <map>

#include "tests/catch.hpp"

using namespace plimsoll;

namespace {

struct Row {
    double tokens, top_k, experts, ranks;
    std::string distribution = "balanced", framework = "", source = "aiconfigurator";
};

TableCells cells(const Row& row) {
    const std::map<std::string, double> numbers{
        {"num_tokens", row.tokens}, {"topk", row.top_k}, {"experts", row.experts}, {"ep", row.ranks}};
    const std::map<std::string, std::string> texts{
        {"distribution", row.distribution}, {"framework", row.framework}, {"source", row.source}};
    return {[numbers](const std::string& column) { return numbers.at(column); },
            [texts](const std::string& column) { return texts.at(column); }, "table.csv:2"};
}

}  // namespace

TEST_CASE("a rank that sees all tokens has their choices of other ranks to pass over") {
    // Four tokens by strides of 8 / 2: 0 and 4, 1 and 5, 2 and 6, 3 and 7. The first of four ranks holds 0 and 1.
    const RoutedLoad load = routed_load(cells({4, 2, 8, 4}));
    CHECK(load.tokens == 4);
    CHECK(load.rows == 2);
    CHECK(load.experts == 2);
    CHECK(load.foreign == 6);
    // 35 tokens: 32 give each expert 8, the last three one each to 0, 1, 2, 4, 5 and 6.
    const RoutedLoad more = routed_load(cells({35, 2, 8, 4}));
    CHECK(more.rows == 18);
    CHECK(more.foreign == 70 - 18);
    // Two tokens, fewer than a stride, start two apart: 0 and 4, 2 and 6.
    CHECK(routed_load(cells({2, 2, 8, 4})).rows == 1);
    CHECK(routed_load(cells({2, 2, 8, 2})).rows == 2);
}

TEST_CASE("the collector of SGLang computes all choices of the tokens that reach the rank") {
    // Of the four tokens the first two reach experts 0 and 1; their other choices are computed by expert 0.
    const RoutedLoad load = routed_load(cells({4, 2, 8, 4, "balanced", "sglang-0.5.10"}));
    CHECK(load.tokens == 2);
    CHECK(load.rows == 4);
    CHECK(load.experts == 2);
    CHECK(load.foreign == 0);
    // A table of somebody else says what it says.
    CHECK(routed_load(cells({4, 2, 8, 4, "balanced", "sglang-0.5.10", "mine"})).rows == 2);
    CHECK(routed_load(cells({4, 2, 8, 1, "balanced", "sglang-0.5.10"})).rows == 8);
}

TEST_CASE("eight choices of 256 round to none, and lie where the collector puts what is left") {
    const auto one_token = [](const char* framework) {
        return routed_load(cells({1, 8, 256, 16, "power_law_1.2", framework}));
    };
    // Loads up to 2 with a mean of 0.26 scaled to a mean of 8 / 256: none is half a choice.
    for (const char* framework : {"trtllm-1.0.0", "vllm-0.14.0"}) {
        CHECK(one_token(framework).rows == Approx(8));
        CHECK(one_token(framework).experts == Approx(8));
        CHECK(one_token(framework).foreign == Approx(0).margin(1e-12));
    }
    CHECK(one_token("vllm-0.24.0").rows == Approx(1));
    CHECK(one_token("vllm-0.24.0").foreign == Approx(7));
}

TEST_CASE("drawn loads keep every choice, none above the tokens, and the busiest rank has the most") {
    for (const char* framework : {"trtllm-1.0.0", "vllm-0.14.0", "vllm-0.24.0", "sglang-0.5.10"})
        for (const double tokens : {1.0, 3.0, 16.0, 300.0, 65536.0})
            for (const double experts : {8.0, 128.0}) {
                INFO(framework << ' ' << tokens << ' ' << experts);
                const std::string law = "power_law_1.01";
                const RoutedLoad whole = routed_load(cells({tokens, 2, experts, 1, law, framework}));
                // The oldest collector lets a load pass the tokens, whose excess no token can choose.
                CHECK(whole.rows <= 2 * tokens * (1 + 1e-12));
                CHECK(whole.rows >= (std::string(framework) == "trtllm-1.0.0" ? 1.0 : 2.0) * tokens * (1 - 1e-12));
                const RoutedLoad rank = routed_load(cells({tokens, 2, experts, 4, law, framework}));
                CHECK(rank.rows >= 2 * tokens / 4 * (1 - 1e-12));
                CHECK(rank.experts <= experts / 4);
                CHECK(rank.rows + rank.foreign == Approx(2 * rank.tokens).epsilon(1e-9));
            }
}

TEST_CASE("routed loads that contradict themselves are refused") {
    CHECK_THROWS_WITH(routed_load(cells({4, 9, 8, 1})), ContainsSubstring("table.csv:2 topk"));
    CHECK_THROWS_WITH(routed_load(cells({4, 2, 8, 3})), ContainsSubstring("does not divide experts"));
    CHECK_THROWS_WITH(routed_load(cells({4, 2, 1e6, 1})), ContainsSubstring("above 10000"));
    CHECK_THROWS_WITH(routed_load(cells({1e12, 2, 8, 1})), ContainsSubstring("num_tokens"));
}
