#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "calibrate/cuda/benches.hpp"
#include "calibrate/cuda/device.hpp"
#include "calibrate/cuda/launch.cuh"
#include "calibrate/cuda/numeric.cuh"
#include "calibrate/cuda/timed_kernel.hpp"

namespace plimsoll {
namespace {

using namespace cuda;

constexpr int threads = 1024, bins = 256;
constexpr int kept_tokens = 50;      // of top-k
constexpr float kept_mass = 0.9F;    // of top-p
constexpr float temperature = 0.1F;  // logits are uniform in [-1, 1): this makes a peaked distribution of them

enum class Choice { argmax, top_k, top_p };

/// Unsigned integers in the order of the floats.
__device__ std::uint32_t ordered(float value) {
    const std::uint32_t bits = __float_as_uint(value);
    return bits & 0x80000000U ? ~bits : bits | 0x80000000U;
}

struct Shared {
    float sums[threads / 32];
    std::uint32_t keys[threads / 32];
    float mass[bins];
    unsigned choice;
    std::uint32_t prefix;
    float above;
};

__device__ float sum_of_block(float value, Shared& shared) {
    for (int distance = 16; distance > 0; distance /= 2) value += __shfl_xor_sync(0xffffffffU, value, distance);
    __syncthreads();
    if (threadIdx.x % 32 == 0) shared.sums[threadIdx.x / 32] = value;
    __syncthreads();
    float sum = 0;
    for (const float part : shared.sums) sum += part;
    return sum;
}

__device__ std::uint32_t largest_of_block(std::uint32_t key, Shared& shared) {
    for (int distance = 16; distance > 0; distance /= 2) key = max(key, __shfl_xor_sync(0xffffffffU, key, distance));
    __syncthreads();
    if (threadIdx.x % 32 == 0) shared.keys[threadIdx.x / 32] = key;
    __syncthreads();
    std::uint32_t largest = 0;
    for (const std::uint32_t part : shared.keys) largest = max(largest, part);
    return largest;
}

__device__ float unordered(std::uint32_t key) {
    return __uint_as_float(key & 0x80000000U ? key & 0x7fffffffU : ~key);
}

__device__ float weight_of(float logit, float largest) {
    return __expf((logit - largest) / temperature);
}

/// The largest key whose tokens and those above it weigh `wanted` at least; a token weighs 1 (by_count) or what softmax
/// gives it. Eight bits of the key at a time, the heaviest first.
__device__ std::uint32_t threshold_of(const float* logits, int vocabulary, float largest, float wanted, bool by_count,
                                      Shared& shared) {
    if (threadIdx.x == 0) {
        shared.prefix = 0;
        shared.above = 0;
    }
    for (int shift = 24; shift >= 0; shift -= 8) {
        if (threadIdx.x < bins) shared.mass[threadIdx.x] = 0;
        __syncthreads();
        const std::uint32_t prefix = shared.prefix;
        for (int i = static_cast<int>(threadIdx.x); i < vocabulary; i += threads) {
            const std::uint32_t key = ordered(logits[i]);
            // A shift by 32 would be undefined: nothing is fixed yet in the first round.
            if (shift < 24 && key >> (shift + 8) != prefix >> (shift + 8)) continue;
            atomicAdd(&shared.mass[key >> shift & 0xffU], by_count ? 1.0F : weight_of(logits[i], largest));
        }
        __syncthreads();
        if (threadIdx.x == 0) {
            int bin = bins - 1;
            while (bin > 0 && shared.above + shared.mass[bin] < wanted) shared.above += shared.mass[bin--];
            shared.prefix |= static_cast<std::uint32_t>(bin) << shift;
        }
        __syncthreads();
    }
    return shared.prefix;
}

/// The first token at or above the threshold at which the running weight passes `target`.
__device__ void pick(const float* logits, int vocabulary, float largest, std::uint32_t threshold, float target,
                     Shared& shared) {
    if (threadIdx.x == 0) shared.choice = 0xffffffffU;
    const int share = (vocabulary + threads - 1) / threads;
    const int begin = static_cast<int>(threadIdx.x) * share, end = min(begin + share, vocabulary);
    float mine = 0;
    for (int i = begin; i < end; ++i)
        if (ordered(logits[i]) >= threshold) mine += weight_of(logits[i], largest);
    // Inclusive sums over the warp, then over the warps before it.
    float until = mine;
    for (int distance = 1; distance < 32; distance *= 2) {
        const float other = __shfl_up_sync(0xffffffffU, until, distance);
        if (threadIdx.x % 32 >= static_cast<unsigned>(distance)) until += other;
    }
    __syncthreads();
    if (threadIdx.x % 32 == 31) shared.sums[threadIdx.x / 32] = until;
    __syncthreads();
    for (unsigned warp = 0; warp < threadIdx.x / 32; ++warp) until += shared.sums[warp];
    float running = until - mine;
    unsigned last = 0xffffffffU;
    for (int i = begin; i < end; ++i) {
        if (ordered(logits[i]) < threshold) continue;
        running += weight_of(logits[i], largest);
        last = static_cast<unsigned>(i);
        if (running > target) break;
    }
    if (last != 0xffffffffU && running > target) atomicMin(&shared.choice, last);
    __syncthreads();
}

/// One block a row of logits [rows, vocabulary]; `draws` are uniform in [0, 1).
template <Choice How>
__global__ void __launch_bounds__(threads)
    sample(const float* all_logits, const float* draws, int vocabulary, std::int32_t* tokens) {
    __shared__ Shared shared;
    const float* const logits = all_logits + std::int64_t{blockIdx.x} * vocabulary;
    std::uint32_t key = 0;
    for (int i = static_cast<int>(threadIdx.x); i < vocabulary; i += threads) key = max(key, ordered(logits[i]));
    const std::uint32_t highest = largest_of_block(key, shared);
    if constexpr (How == Choice::argmax) {
        if (threadIdx.x == 0) shared.choice = 0xffffffffU;
        __syncthreads();
        for (int i = static_cast<int>(threadIdx.x); i < vocabulary; i += threads)
            if (ordered(logits[i]) == highest) atomicMin(&shared.choice, static_cast<unsigned>(i));
        __syncthreads();
    } else {
        const float largest = unordered(highest);
        float wanted = kept_tokens;
        if constexpr (How == Choice::top_p) {
            float mass = 0;
            for (int i = static_cast<int>(threadIdx.x); i < vocabulary; i += threads)
                mass += weight_of(logits[i], largest);
            wanted = kept_mass * sum_of_block(mass, shared);
        }
        const std::uint32_t threshold = threshold_of(logits, vocabulary, largest, wanted, How == Choice::top_k, shared);
        float kept = 0;
        for (int i = static_cast<int>(threadIdx.x); i < vocabulary; i += threads)
            if (ordered(logits[i]) >= threshold) kept += weight_of(logits[i], largest);
        kept = sum_of_block(kept, shared);
        pick(logits, vocabulary, largest, threshold, draws[blockIdx.x] * kept, shared);
    }
    if (threadIdx.x == 0) tokens[blockIdx.x] = static_cast<std::int32_t>(shared.choice);
}

class Sampling final : public TimedKernel {
  public:
    explicit Sampling(const KernelPoint& point)
        : TimedKernel(point.cold, 1), path_(point.path), rows_(point.shape.m), vocabulary_(point.shape.n) {
        if (path_ != "argmax" && path_ != "top_k" && path_ != "top_p")
            throw std::runtime_error("unknown sampling '" + path_ + "'");
        if (vocabulary_ < kept_tokens) throw std::runtime_error("the vocabulary is smaller than top-k's 50");
        logits_ = random_values(Dtype::fp32, static_cast<std::size_t>(rows_ * vocabulary_), 1);
        for (std::int64_t row = 0; row < rows_; ++row)
            draws_host_.push_back(0.5F + 0.5F * symmetric(hashed(7, static_cast<std::uint64_t>(row))));
        draws_ = to_device(draws_host_);
        tokens_ = DeviceMemory(static_cast<std::size_t>(rows_) * sizeof(std::int32_t));
    }

    /// Share of the first rows whose token is not the one that double precision picks, give or take 1e-4 of the mass.
    double error() override {
        poison(tokens_);
        run_plainly();
        const auto rows = static_cast<std::size_t>(std::min<std::int64_t>(rows_, 8));
        const auto tokens = to_host<std::int32_t>(tokens_.as(), static_cast<std::size_t>(rows_));
        const auto logits = to_host<float>(logits_.as(), rows * static_cast<std::size_t>(vocabulary_));
        std::size_t wrong = 0;
        for (std::size_t row = 0; row < rows; ++row)
            if (!right(logits.data() + row * static_cast<std::size_t>(vocabulary_), tokens[row], draws_host_[row]))
                ++wrong;
        return static_cast<double>(wrong) / static_cast<double>(rows);
    }
    [[nodiscard]] double tolerance() const override { return 0; }

  protected:
    void launch(cudaStream_t stream, int) override {
        const auto rows = static_cast<unsigned>(rows_);
        const auto width = static_cast<int>(vocabulary_);
        auto* const logits = logits_.as<float>();
        auto* const tokens = tokens_.as<std::int32_t>();
        if (path_ == "argmax")
            start_kernel(sample<Choice::argmax>, {rows, threads, 0, stream}, logits, draws_.as<float>(), width, tokens);
        else if (path_ == "top_k")
            start_kernel(sample<Choice::top_k>, {rows, threads, 0, stream}, logits, draws_.as<float>(), width, tokens);
        else
            start_kernel(sample<Choice::top_p>, {rows, threads, 0, stream}, logits, draws_.as<float>(), width, tokens);
        check_launch("sampling");
    }

  private:
    [[nodiscard]] bool right(const float* logits, std::int32_t token, double draw) const {
        if (token < 0 || token >= vocabulary_) return false;
        std::vector<std::int32_t> order(static_cast<std::size_t>(vocabulary_));
        std::iota(order.begin(), order.end(), 0);
        std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return logits[a] > logits[b]; });
        if (path_ == "argmax") return token == order.front();
        const auto weight = [&](std::int32_t i) {
            return std::exp((static_cast<double>(logits[i]) - static_cast<double>(logits[order.front()])) /
                            static_cast<double>(temperature));
        };
        double all = 0, kept = 0;
        for (const auto i : order) all += weight(i);
        constexpr double slack = 1e-4;
        // Tokens that stay for certain bound the ones that may.
        std::size_t count = 0;
        while (count < order.size() &&
               (path_ == "top_k" ? count < kept_tokens : kept < (static_cast<double>(kept_mass) + slack) * all))
            kept += weight(order[count++]);
        if (std::find(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), token) ==
            order.begin() + static_cast<std::ptrdiff_t>(count))
            return false;
        // The draw falls into the token's stretch of the running weight in the order of the vocabulary.
        const float least = logits[order[count - 1]];
        double before = 0;
        for (std::int32_t i = 0; i < token; ++i)
            if (logits[i] >= least) before += weight(i);
        return before <= (draw + slack) * kept * (1 + slack) &&
               before + weight(token) >= (draw - slack) * kept * (1 - slack);
    }

    std::string path_;
    std::int64_t rows_, vocabulary_;
    std::vector<float> draws_host_;
    DeviceMemory logits_, draws_, tokens_;
};

std::vector<KernelPoint> points(bool quick) {
    std::vector<KernelPoint> result;
    for (const std::int64_t m : quick ? std::vector<std::int64_t>{1, 64} : std::vector<std::int64_t>{1, 8, 64, 256})
        for (const std::int64_t n :
             quick ? std::vector<std::int64_t>{128256} : std::vector<std::int64_t>{32000, 128256})
            for (const char* const path : {"argmax", "top_k", "top_p"}) {
                // The product before has just written the logits.
                KernelPoint point{KernelClass::sampling, path, "fp32", "", {}, false};
                point.shape.m = m;
                point.shape.n = n;
                result.push_back(point);
            }
    return result;
}

std::unique_ptr<PreparedKernel> prepare(const KernelPoint& point) {
    return std::make_unique<Sampling>(point);
}

}  // namespace

void register_sampling(Registry<Microbenchmark>& registry) {
    registry.add("sampling", {"a token from each of m rows of n fp32 logits: the largest, one of the 50 largest, one "
                              "of those with 90 % of the mass",
                              points, prepare});
}

}  // namespace plimsoll
