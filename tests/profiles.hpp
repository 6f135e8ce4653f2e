#pragma once
#include "model/spec/profile.hpp"

namespace plimsoll::testing {

/// A profile of one GEMM kernel with round constants and everything that a profile can hold.
inline Profile sample_profile() {
    KernelModel gemm;
    gemm.kernel = "gemm";
    gemm.library = "cublaslt-12.8";
    gemm.dtype = "fp16";
    gemm.path = "aligned";
    gemm.form = "sample";
    gemm.constants = {{"compute_efficiency", 0.8, 0.01}, {"launch", 5e-6, 1e-7}};
    gemm.covariance = {1e-4, 0.0, 0.0, 1e-14};
    gemm.residuals = {.count = 90,
                      .bias = 0.01,
                      .mean_ape = 0.05,
                      .median_ape = 0.04,
                      .p90_ape = 0.1,
                      .quantiles = {-0.2, -0.05, 0.0, 0.05, 0.2}};
    gemm.shape_residuals = gemm.residuals;
    gemm.learner = {.low = {0.0, 1.0},
                    .high = {1.0, 2.0},
                    .widths = {0.5, 0.25},
                    .centers = {0.1, 0.2, 0.3, 0.4},
                    .weights = {0.01, -0.02},
                    .bound = 0.3};
    gemm.ranges = {{"m", 1, 4096}, {"n", 1024, 16384}};
    gemm.points = 120;
    gemm.origin = Origin::measured_here;
    gemm.source = "plimsoll calibrate run";
    Profile profile;
    profile.name = "sample";
    profile.aliases = {"a sample"};
    profile.gpu = "a30-24gb-pcie";
    profile.date = "2026-11-21";
    profile.source = "plimsoll calibrate run --device cuda:0";
    profile.environment = {{"driver", "580.65"}, {"clock", "1440 MHz"}};
    profile.kernels = {gemm};
    return profile;
}

}  // namespace plimsoll::testing
