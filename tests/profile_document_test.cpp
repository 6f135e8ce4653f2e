// What `calibrate show` says of a profile: every kernel is drawn, and the regions without points are named.
#include "tests/catch.hpp"
#include "tests/cli_run.hpp"

using cli::run;
using cli::words;

namespace {

std::string shown(const std::string& profile) {
    const cli::Result result = run(words("calibrate show " + profile + " --width 200"), cli::shipped_data);
    REQUIRE(result.code == 0);
    return result.out;
}

/// The line of the drawing that begins with that kernel.
std::string drawn(const std::string& text, const std::string& kernel) {
    const std::size_t drawing = text.find("Measured over fitted"), line = text.find("\n" + kernel + " ", drawing);
    REQUIRE(line != text.npos);
    return text.substr(line + 1, text.find('\n', line + 1) - line - 1);
}

}  // namespace

TEST_CASE("calibrate show draws collectives and experts like products, each where it lies") {
    const std::string text = shown("a100-80gb-sxm-published");
    for (const char* kernel : {"all_reduce nccl-2.27.3 fp16, nvswitch", "moe vllm-0.14.0 bf16", "gemm vllm-0.14.0 bf16",
                               "attention_decode vllm-0.14.0 bf16"}) {
        INFO(kernel);
        const std::string line = drawn(text, kernel);
        const std::string box = line.substr(line.find_last_of(' ') + 1);
        REQUIRE(box.size() == 41);
        // The fit stands in the middle, and medians of unbiased fits lie near it.
        const auto median = static_cast<int>(box.find('|'));
        CHECK(std::abs(median - 20) <= 4);
    }
}

TEST_CASE("calibrate show names what no measurement covers of every kind of kernel") {
    const std::string text = shown("a100-80gb-sxm-published");
    // The bridged pairs were measured to four ranks; nobody had 16 on one host, nor 4-bit rows among those of 16 bits.
    CHECK_THAT(text, ContainsSubstring("all_reduce nccl-torch fp16, pairwise_nvlink: ranks above 4"));
    CHECK_THAT(text, ContainsSubstring("nccl-2.27.3 fp16, nvswitch: no measurement tells of latency_16, bandwidth_16"));
    CHECK_THAT(text, ContainsSubstring("gemm vllm-0.14.0 bf16: no measurement tells of dequantization"));
    CHECK_THAT(text, !ContainsSubstring("gemm vllm-0.14.0 bf16: dequantization is known"));
    // A range that ends where models do is complete, whatever the last digit of its logarithm.
    CHECK_THAT(text, !ContainsSubstring("k above 28672"));
    CHECK_THAT(text, ContainsSubstring("moe sglang-0.5.10 bf16: a tenth of the measurements lie more"));
}
