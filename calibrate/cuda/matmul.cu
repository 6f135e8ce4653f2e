#include <stdexcept>
#include <string>

#include "calibrate/cuda/launch.cuh"
#include "calibrate/cuda/matmul.hpp"
#include "calibrate/cuda/numeric.cuh"

namespace plimsoll::cuda {
namespace {

void check(cublasStatus_t status, const char* what) {
    if (status == CUBLAS_STATUS_SUCCESS) return;
    throw std::runtime_error(std::string("cuBLASLt, ") + what + ": " + cublasLtGetStatusString(status));
}

constexpr std::size_t most_workspace = std::size_t{32} << 20;  // what NVIDIA advises for Hopper

struct Library {
    cublasLtHandle_t handle = nullptr;
    DeviceMemory workspace{most_workspace};
    DeviceMemory one = to_device<float>({1.0F});  // the scale of fp8 operands
    Library() { check(cublasLtCreate(&handle), "start"); }
};

// Never taken down: the driver may be gone before statics are.
const Library& library() {
    static const Library* const loaded = new Library;
    return *loaded;
}

cudaDataType_t data_type(Dtype dtype) {
    switch (dtype) {
        case Dtype::fp16:
            return CUDA_R_16F;
        case Dtype::bf16:
            return CUDA_R_16BF;
        case Dtype::fp8:
            return CUDA_R_8F_E4M3;
        case Dtype::int8:
            return CUDA_R_8I;
        case Dtype::int32:
            return CUDA_R_32I;
        default:
            return CUDA_R_32F;
    }
}

template <class Value>
void set(cublasLtMatmulDesc_t product, cublasLtMatmulDescAttributes_t attribute, const Value& value) {
    check(cublasLtMatmulDescSetAttribute(product, attribute, &value, sizeof value), "attribute");
}

/// One warp an entry: row and column from the hash of its number.
template <class In, class Out>
__global__ void sampled_products(const In* x, const In* w, const Out* y, std::int64_t m, std::int64_t n, std::int64_t k,
                                 std::uint64_t seed, double* values, double* references) {
    const int sample = blockIdx.x;
    const auto row = static_cast<std::int64_t>(hashed(seed, 2 * sample) % m);
    const auto column = static_cast<std::int64_t>(hashed(seed, 2 * sample + 1) % n);
    double sum = 0;
    for (std::int64_t i = threadIdx.x; i < k; i += 32) sum += to_double(x[row * k + i]) * to_double(w[column * k + i]);
    for (int distance = 16; distance > 0; distance /= 2) sum += __shfl_xor_sync(0xffffffffU, sum, distance);
    if (threadIdx.x != 0) return;
    values[sample] = to_double(y[row * n + column]);
    references[sample] = sum;
}

}  // namespace

Dtype Matmul::output(Dtype dtype) {
    if (dtype == Dtype::fp8) return Dtype::bf16;
    return dtype == Dtype::int8 ? Dtype::int32 : dtype;
}

Matmul::Matmul(Dtype dtype, std::int64_t m, std::int64_t n, std::int64_t k) : dtype_(dtype) {
    if (dtype == Dtype::fp8) require_capability(89, "fp8");
    if (dtype == Dtype::bf16) require_capability(80, "bf16");
    if (dtype == Dtype::int8) require_capability(75, "int8 by tensor cores");
    try {
        describe(m, n, k);
        choose();
    } catch (const std::runtime_error& error) {
        release();
        throw std::runtime_error(std::string(error.what()) + " for m = " + std::to_string(m) +
                                 ", n = " + std::to_string(n) + ", k = " + std::to_string(k));
    }
}

Matmul::~Matmul() {
    release();
}

void Matmul::release() {
    if (result_ != nullptr) cublasLtMatrixLayoutDestroy(result_);
    if (activations_ != nullptr) cublasLtMatrixLayoutDestroy(activations_);
    if (weights_ != nullptr) cublasLtMatrixLayoutDestroy(weights_);
    if (product_ != nullptr) cublasLtMatmulDescDestroy(product_);
    result_ = activations_ = weights_ = nullptr;
    product_ = nullptr;
}

// cuBLASLt counts columns first, so the row-major y is its y^T [n, m] = (w^T)^T x^T.
void Matmul::describe(std::int64_t m, std::int64_t n, std::int64_t k) {
    const bool integers = dtype_ == Dtype::int8;
    check(cublasLtMatmulDescCreate(&product_, integers ? CUBLAS_COMPUTE_32I : CUBLAS_COMPUTE_32F,
                                   integers ? CUDA_R_32I : CUDA_R_32F),
          "product");
    set(product_, CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T);
    set(product_, CUBLASLT_MATMUL_DESC_TRANSB, CUBLAS_OP_N);
    if (dtype_ == Dtype::fp8) {
        const void* const one = library().one.as();
        set(product_, CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, one);
        set(product_, CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, one);
        set(product_, CUBLASLT_MATMUL_DESC_FAST_ACCUM, std::int8_t{1});
    }
    const auto rows = static_cast<std::uint64_t>(n), columns = static_cast<std::uint64_t>(m);
    const auto depth = static_cast<std::uint64_t>(k);
    check(cublasLtMatrixLayoutCreate(&weights_, data_type(dtype_), depth, rows, k), "layout");
    check(cublasLtMatrixLayoutCreate(&activations_, data_type(dtype_), depth, columns, k), "layout");
    check(cublasLtMatrixLayoutCreate(&result_, data_type(output(dtype_)), rows, columns, n), "layout");
}

void Matmul::choose() {
    cublasLtMatmulPreference_t preference = nullptr;
    check(cublasLtMatmulPreferenceCreate(&preference), "preference");
    cublasLtMatmulHeuristicResult_t found{};
    int count = 0;
    cublasStatus_t status = cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                                                 &most_workspace, sizeof most_workspace);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = cublasLtMatmulAlgoGetHeuristic(library().handle, product_, weights_, activations_, result_, result_,
                                                preference, 1, &found, &count);
    cublasLtMatmulPreferenceDestroy(preference);
    check(status, "search for an algorithm");
    check(count > 0 ? found.state : CUBLAS_STATUS_NOT_SUPPORTED, "search for an algorithm");
    algorithm_ = found.algo;
    workspace_bytes_ = found.workspaceSize;
}

void Matmul::operator()(const void* x, const void* w, void* y, cudaStream_t stream) const {
    const float one = 1, zero = 0;
    const std::int32_t integer_one = 1, integer_zero = 0;
    const bool integers = dtype_ == Dtype::int8;
    const void* const alpha = integers ? static_cast<const void*>(&integer_one) : &one;
    const void* const beta = integers ? static_cast<const void*>(&integer_zero) : &zero;
    check(cublasLtMatmul(library().handle, product_, alpha, w, weights_, x, activations_, beta, y, result_, y, result_,
                         &algorithm_, library().workspace.as(), workspace_bytes_, stream),
          "product");
}

double matmul_deviation(Dtype dtype, std::int64_t m, std::int64_t n, std::int64_t k, const void* x, const void* w,
                        const void* y, int samples, std::uint64_t seed) {
    const auto count = static_cast<std::size_t>(samples);
    const DeviceMemory values(count * sizeof(double)), references(count * sizeof(double));
    const auto sample = [&]<class In, class Out>(In, Out) {
        start_kernel(sampled_products<In, Out>, {samples, 32}, static_cast<const In*>(x), static_cast<const In*>(w),
                     static_cast<const Out*>(y), m, n, k, seed, values.as<double>(), references.as<double>());
    };
    if (dtype == Dtype::fp16) sample(Half{}, Half{});
    if (dtype == Dtype::bf16) sample(Bfloat{}, Bfloat{});
    if (dtype == Dtype::fp8) sample(Float8{}, Bfloat{});
    if (dtype == Dtype::int8) sample(std::int8_t{}, std::int32_t{});
    check_launch("sampled products");
    return relative_deviation(to_host<double>(values.as(), count), to_host<double>(references.as(), count));
}

double matmul_tolerance(Dtype dtype, std::int64_t k) {
    // Rounding of the output dominates, 2^-11 and 2^-8 of the largest.
    if (dtype == Dtype::int8) return 0;
    if (dtype == Dtype::fp16) return 2e-3;
    if (dtype == Dtype::bf16) return 8e-3;
    // fp8 sums keep about 14 bits on Hopper (DeepSeek-V3, arXiv 2412.19437, section 3.5.2), and each 32 of the depth
    // cut off what lies below.
    return 2e-2 + static_cast<double>(k) / 32 * 0x1p-13;
}

}  // namespace plimsoll::cuda
