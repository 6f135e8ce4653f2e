#include <stdexcept>

#include "calibrate/cuda/matmul.hpp"
#include "calibrate/cuda/numeric.cuh"
#include "calibrate/cuda/timed_kernel.hpp"

/// What of the GPU's benches rests on libraries and on time: products by plain loops, and kernels that run once.
namespace plimsoll::cuda {

Gate::Gate() = default;
Gate::~Gate() = default;

TimedKernel::TimedKernel(bool cold, int copies) : cold_(cold), copies_(copies) {}
TimedKernel::~TimedKernel() = default;

void TimedKernel::run_plainly() {
    launch(stream_, 0);
}

Reading TimedKernel::run() {
    launch(stream_, cold_ ? copies_ - 1 : 0);
    Reading reading;
    reading.elapsed = Seconds(1e-6 * repeats_);
    return reading;
}

namespace {

struct Sizes {
    std::int64_t m, n, k;
};

}  // namespace

Dtype Matmul::output(Dtype dtype) {
    return dtype;
}

Matmul::Matmul(Dtype dtype, std::int64_t m, std::int64_t n, std::int64_t k)
    : dtype_(dtype), product_(new Sizes{m, n, k}) {}

Matmul::~Matmul() {
    delete static_cast<Sizes*>(product_);
}

void Matmul::operator()(const void* x, const void* w, void* y, cudaStream_t) const {
    const Sizes& s = *static_cast<const Sizes*>(product_);
    with_16_bit(dtype_, [&]<class T>(T) {
        for (std::int64_t row = 0; row < s.m; ++row)
            for (std::int64_t column = 0; column < s.n; ++column) {
                float sum = 0;
                for (std::int64_t i = 0; i < s.k; ++i)
                    sum += to_float(static_cast<const T*>(x)[row * s.k + i]) *
                           to_float(static_cast<const T*>(w)[column * s.k + i]);
                static_cast<T*>(y)[row * s.n + column] = from_float<T>(sum);
            }
    });
}

double matmul_tolerance(Dtype dtype, std::int64_t) {
    return dtype == Dtype::fp16 ? 2e-3 : 8e-3;
}

}  // namespace plimsoll::cuda
