#pragma once
#include <memory>
#include <string>
#include <vector>

#include "model/spec/gpu.hpp"
#include "model/spec/profile.hpp"

namespace plimsoll {

/// How near the GPU that was measured is to the one that is asked about.
enum class Kinship { same_gpu, same_class, stranger };

/// The measurements of one library that stand for one kind of operator.
struct MeasuredKernel {
    std::vector<const KernelModel*> models;  ///< one a path of the kernel; empty: the constants of the class count
    const Gpu* gpu = nullptr;                ///< that they were measured on
    Kinship kinship = Kinship::stranger;
    bool own_library = false;  ///< the engine calls this library

    [[nodiscard]] bool known() const { return !models.empty(); }
};

class KernelMemo;

/// The measurements that stand for the operators of a deployment; what they come to is remembered.
struct MeasuredKernels {
    MeasuredKernel gemm, prefill_attention, decode_attention, elementwise;
    MeasuredKernel experts;     ///< the products of an FFN's experts with what lies between them
    MeasuredKernel all_reduce;  ///< among GPUs that are joined as the node's are
    MeasuredKernel all_to_all;  ///< likewise
    std::shared_ptr<KernelMemo> memo;
};

/// Which profiles may be used.
struct ProfileChoice {
    bool any = true;                ///< false: the constants of classes alone
    const Profile* only = nullptr;  ///< this one alone, whatever its GPU; null: those that suit
};

}  // namespace plimsoll
