#include <algorithm>

#include "calibrate/accuracy.hpp"

namespace plimsoll {
namespace {

struct Cause {
    std::string_view kernel, gpu, library, topology, dtype;
    std::string_view text;
};
// Found in the published rows themselves (AIConfigurator 095f58a, Vidur 7d47513 and its fork, Apex+).
constexpr Cause causes[] = {
    {"gemm", "a30-24gb-pcie", "sarathi-torch", "", "fp16",
     "large products take 1.9 to 2.2 times an A100's time as the peaks say, those of 128 to 640 rows up to 3.7 times: "
     "a block alone on a multiprocessor runs at under half its rate, and the library's tiles change between "
     "neighbours"},
    {"gemm", "h200-141gb-sxm", "vllm-0.24.0", "", "fp8",
     "rows include the quantization of the activations, a kernel of its own"},
    {"gemm", "h200-141gb-sxm", "vllm-0.24.0", "", "fp8_block",
     "timed launch by launch: no row is below 56 us, and quantization of the activations is in it"},
    {"gemm", "v100-16gb-pcie", "torch-matmul-eager", "", "fp16",
     "17 to 63 rows that are no multiple of 8 fall to a kernel five times slower; timed launch by launch"},
    {"attention_decode", "a100-80gb-sxm", "trtllm-1.0.0", "", "bf16",
     "31 of 1097 rows read their cache faster than memory can, as no row of another library does, beside rows at 0.8 "
     "of it: the kernel is split over the context from some sizes on, and presumably not all tokens were read"},
    {"all_reduce", "a100-80gb-sxm", "nccl-torch", "dgx", "fp16",
     "below 1.5 MB, one row in seven, neighbouring sizes take 23 or 62 us by turns: the best time of 12 neighbours "
     "misses a row by 18 % there, by 1.6 % above; a time learnt from three of them misses by 37 %, 5 points of the "
     "mean"},
    {"moe", "h200-141gb-sxm", "vllm-0.24.0", "", "w4a16_mxfp4",
     "rows of two kernels: Kimi K3's experts reach two fifths of the rate of GPT-OSS's"}};

}  // namespace

std::string_view known_cause(const KernelGroup& group) {
    const auto* found = std::find_if(std::begin(causes), std::end(causes), [&](const Cause& cause) {
        return cause.kernel == group.kernel && cause.gpu == group.gpu && cause.library == group.library &&
               cause.topology == group.topology && cause.dtype == group.dtype;
    });
    return found == std::end(causes) ? std::string_view() : found->text;
}

}  // namespace plimsoll
