#pragma once

/// What matmul.hpp keeps of the library.
using cublasLtMatmulDesc_t = void*;
using cublasLtMatrixLayout_t = void*;
struct cublasLtMatmulAlgo_t {};
