#pragma once
#include <cmath>
#include <string>
#include <vector>

#include "calibrate/kernel_operators.hpp"
#include "calibrate/kernel_table.hpp"
#include "simulator/random.hpp"

/// Made-up measurements for the tests of fits.
namespace plimsoll::testing {

/// A GPU of round numbers: 300 TFLOP/s, 2 TB/s, 100 multiprocessors.
inline GpuPeaks round_peaks() {
    return {FlopPerSecond(300e12), BytesPerSecond(2e12), Bytes(40e6), 100};
}

/// Standard normal by the sum of twelve uniforms: enough for noise.
inline double normal(RandomStream& random) {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += random.uniform();
    return sum;
}

/// Products of many sizes with the times of the form `name` at the given constants, times lognormal noise.
inline std::vector<KernelRow> made_up_gemms(const std::string& name, const std::vector<double>& constants, double noise,
                                            std::uint64_t seed) {
    RandomStream random(seed, "noise");
    const KernelForm& form = kernel_forms().at(name, "form", "test");
    std::vector<KernelRow> rows;
    for (const double n : {1024.0, 4096.0, 11008.0, 28672.0})
        for (const double k : {1024.0, 4096.0, 8192.0})
            for (double m = 8; m <= 8192; m *= 2) {
                KernelRow row;
                row.group = {"gemm", "a100-80gb-sxm", "made-up", "", "bf16", ""};
                row.op = gemm_operator("gemm", "gemm", m, n, k, Dtype::bf16);
                row.seconds =
                    form.time(row.op, round_peaks(), constants).total().value() * std::exp(noise * normal(random));
                row.place = "made-up.csv:" + std::to_string(rows.size() + 2);
                row.shape = std::to_string(n) + " " + std::to_string(k);
                rows.push_back(row);
            }
    return rows;
}

}  // namespace plimsoll::testing
