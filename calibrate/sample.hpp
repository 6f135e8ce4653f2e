#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/base/units.hpp"

namespace plimsoll {

/// The kind of kernel that a measurement is of.
enum class KernelClass {
    gemm,
    attention_prefill,
    attention_decode,
    moe,
    all_reduce,
    all_gather,
    reduce_scatter,
    all_to_all,
    send_recv,
    elementwise,
    memory,  ///< reads and copies, on the device, from the host, from a peer
    launch,
    sampling
};

/// Size of one kernel; which fields count follows from its class, the others are 0.
struct KernelShape {
    std::int64_t m = 0, n = 0, k = 0;  ///< gemm [m, k] x [k, n]; moe: tokens, intermediate, hidden
    std::int64_t batch = 0;            ///< attention: sequences
    std::int64_t query = 0;            ///< attention: tokens of query of each sequence
    std::int64_t kv = 0;               ///< attention: tokens of context of each, these included
    std::int64_t heads = 0, kv_heads = 0, head_dim = 0;
    std::int64_t experts = 0, top_k = 0;
    std::int64_t bytes = 0;  ///< memory, elementwise: read and written in all; collectives: what one rank contributes
    std::int64_t ranks = 0;  ///< collectives; threads of a processor
};

/// One thing to measure.
struct KernelPoint {
    KernelClass kernel = KernelClass::gemm;
    std::string path;           ///< regime or variant: "cublaslt", "paged", "copy", "rope", "graph" ...
    std::string dtype;          ///< of weights and activations: "fp16", "w4a16" ...
    std::string kv_dtype = {};  ///< attention alone
    KernelShape shape = {};
    bool cold = true;               ///< caches are emptied before each run
    std::string instructions = {};  ///< of a processor: the name of a set of instructions; empty: the widest it has
};

/// One timed run.
struct Reading {
    Seconds elapsed{};       ///< on the device, launch latency excluded where the device can tell
    double clock_mhz = 0;    ///< of the device while it ran; 0: unknown
    bool throttled = false;  ///< the device says that it held its clock back
    bool disturbed = false;  ///< other programs were in the way: of use only where nothing better comes
};

/// A kernel with its data in place.
class PreparedKernel {
  public:
    PreparedKernel() = default;
    PreparedKernel(const PreparedKernel&) = delete;
    PreparedKernel& operator=(const PreparedKernel&) = delete;
    virtual ~PreparedKernel() = default;

    /// Runs it once.
    virtual Reading run() = 0;
    /// Largest deviation of its output from a double-precision reference, over the reference's largest magnitude.
    virtual double error() = 0;
    /// Deviation up to which the output counts as right.
    [[nodiscard]] virtual double tolerance() const = 0;
};

/// One microbenchmark as one file of calibrate/cpu or calibrate/cuda registers it.
struct Microbenchmark {
    std::string description;
    /// What it can measure on this device, the most telling first; `quick`: the few points that a first fit needs.
    std::function<std::vector<KernelPoint>(bool quick)> points;
    /// Throws std::runtime_error, saying why, where the device cannot run the point (memory, dtype).
    std::function<std::unique_ptr<PreparedKernel>(const KernelPoint&)> prepare;
};

/// What the measurements were made on: names and values, such as "driver" and "580.65".
using DeviceFacts = std::vector<std::pair<std::string, std::string>>;

/// What came of one point.
struct Sample {
    KernelPoint point;
    std::vector<Seconds> times = {};  ///< that counted, in order
    Seconds median{};
    double relative_half_width = 0;  ///< of the median's 95 % interval
    std::uint32_t discarded = 0;     ///< readings thrown away as throttled or disturbed
    bool disturbed = false;          ///< too few were not: disturbed readings were used
    bool timed_out = false;          ///< stopped by the clock before it was steady
    double clock_mhz = 0;            ///< median over the readings that counted
    double error = 0;                ///< as PreparedKernel::error
};

}  // namespace plimsoll
