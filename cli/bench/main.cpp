#include <cstdio>
#include <cstring>
#include <exception>

#include "calibrate/cuda/benches.hpp"

namespace {

using namespace plimsoll;

int check_all(bool rates) {
    int failed = 0;
    for (const auto& result : cuda::check_kernels(rates)) {
        std::printf("%s  %s: %s\n", result.passed ? "ok    " : "FAILED", result.what.c_str(), result.found.c_str());
        failed += result.passed ? 0 : 1;
    }
    std::printf("%d failed\n", failed);
    return failed == 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) {
    try {
        if (cuda::device_count() == 0) {
            std::fprintf(stderr, "plimsoll_bench: no CUDA device here\n");
            return 4;
        }
        for (const auto& [name, value] : cuda::device_facts()) std::printf("%s: %s\n", name.c_str(), value.c_str());
        const bool rates = count > 1 && std::strcmp(arguments[1], "--rates") == 0;
        return check_all(rates);
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "plimsoll_bench: %s\n", problem.what());
        return 4;
    }
}
