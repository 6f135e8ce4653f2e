#include <algorithm>
#include <cstring>

#include "calibrate/cuda/benches.hpp"
#include "calibrate/cuda/device.hpp"
#include "calibrate/cuda/launch.cuh"
#include "calibrate/cuda/numeric.cuh"
#include "calibrate/cuda/timed_kernel.hpp"

namespace plimsoll {
namespace {

using namespace cuda;

__global__ void copy_all(const uint4* from, uint4* to, std::size_t count) {
    const std::size_t stride = std::size_t{gridDim.x} * blockDim.x;
    std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x;
    // Four loads under way before the first store.
    for (; i + 3 * stride < count; i += 4 * stride) {
        const uint4 a = from[i], b = from[i + stride], c = from[i + 2 * stride], d = from[i + 3 * stride];
        to[i] = a;
        to[i + stride] = b;
        to[i + 2 * stride] = c;
        to[i + 3 * stride] = d;
    }
    for (; i < count; i += stride) to[i] = from[i];
}

__device__ unsigned combined(uint4 v) {
    return v.x ^ v.y ^ v.z ^ v.w;
}

/// The exclusive or of all words goes to *result, which must be 0 before.
__global__ void read_all(const uint4* from, std::size_t count, unsigned* result) {
    const std::size_t stride = std::size_t{gridDim.x} * blockDim.x;
    std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x;
    unsigned bits = 0;
    for (; i + 3 * stride < count; i += 4 * stride) {
        const uint4 a = from[i], b = from[i + stride], c = from[i + 2 * stride], d = from[i + 3 * stride];
        bits ^= combined(a) ^ combined(b) ^ combined(c) ^ combined(d);
    }
    for (; i < count; i += stride) bits ^= combined(from[i]);
    for (int distance = 16; distance > 0; distance /= 2) bits ^= __shfl_xor_sync(0xffffffffU, bits, distance);
    if (threadIdx.x % 32 == 0) atomicXor(result, bits);
}

/// The same, one word a thread: the reference.
__global__ void combine_words(const unsigned* from, std::size_t count, unsigned* result) {
    const std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x;
    unsigned bits = i < count ? from[i] : 0;
    for (int distance = 16; distance > 0; distance /= 2) bits ^= __shfl_xor_sync(0xffffffffU, bits, distance);
    if (threadIdx.x % 32 == 0) atomicXor(result, bits);
}

/// Blocks that give each thread a few steps, and the device a few blocks a multiprocessor.
unsigned blocks_for(std::size_t count, unsigned threads) {
    const std::size_t most = 8 * static_cast<std::size_t>(device_limits().multiprocessors);
    return static_cast<unsigned>(std::clamp<std::size_t>((count + 4 * threads - 1) / (4 * threads), 1, most));
}
constexpr unsigned threads = 512;

std::size_t moved(const KernelPoint& point) {
    const auto bytes = static_cast<std::size_t>(point.shape.bytes);
    return (point.path == "copy" ? bytes / 2 : bytes) / 16 * 16;
}

double different(const std::vector<unsigned>& a, const std::vector<unsigned>& b) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < a.size(); ++i) count += a[i] != b[i] ? 1 : 0;
    return static_cast<double>(count);
}

class Copy final : public TimedKernel {
  public:
    explicit Copy(const KernelPoint& point)
        : TimedKernel(point.cold, copies_for(point.cold, 2 * moved(point))),
          bytes_(moved(point)),
          from_(random_values(Dtype::int8, total(point), 1)),
          to_(total(point)) {}

    double error() override {
        poison(to_);
        run_plainly();
        // Both ends of it.
        const std::size_t some = std::min(bytes_, std::size_t{16} << 20), rest = bytes_ - some;
        return different(to_host<unsigned>(from_.as(), some / 4), to_host<unsigned>(to_.as(), some / 4)) +
               different(to_host<unsigned>(from_.as(rest), some / 4), to_host<unsigned>(to_.as(rest), some / 4));
    }
    [[nodiscard]] double tolerance() const override { return 0; }

  protected:
    void launch(cudaStream_t stream, int copy) override {
        const std::size_t at = static_cast<std::size_t>(copy) * bytes_, count = bytes_ / 16;
        start_kernel(copy_all, {blocks_for(count, threads), threads, 0, stream}, from_.as<uint4>(at), to_.as<uint4>(at),
                     count);
        check_launch("copy");
    }

  private:
    static std::size_t total(const KernelPoint& point) {
        return moved(point) * static_cast<std::size_t>(copies_for(point.cold, 2 * moved(point)));
    }
    std::size_t bytes_;
    DeviceMemory from_, to_;
};

class Read final : public TimedKernel {
  public:
    explicit Read(const KernelPoint& point)
        : TimedKernel(point.cold, copies_for(point.cold, moved(point))),
          bytes_(moved(point)),
          from_(random_values(Dtype::int8, bytes_ * static_cast<std::size_t>(copies_for(point.cold, bytes_)), 1)),
          result_(sizeof(unsigned)) {}

    double error() override {
        check(cudaMemset(result_.as(), 0, result_.bytes()), "clear");
        check(cudaDeviceSynchronize(), "clear");
        run_plainly();
        const DeviceMemory bits(sizeof(unsigned));
        check(cudaMemset(bits.as(), 0, bits.bytes()), "clear");
        start_kernel(combine_words, {static_cast<unsigned>((bytes_ / 4 + threads - 1) / threads), threads},
                     from_.as<unsigned>(), bytes_ / 4, bits.as<unsigned>());
        check_launch("reference of the read");
        return different(to_host<unsigned>(result_.as(), 1), to_host<unsigned>(bits.as(), 1));
    }
    [[nodiscard]] double tolerance() const override { return 0; }

  protected:
    void launch(cudaStream_t stream, int copy) override {
        const std::size_t count = bytes_ / 16;
        start_kernel(read_all, {blocks_for(count, threads), threads, 0, stream},
                     from_.as<uint4>(static_cast<std::size_t>(copy) * bytes_), count, result_.as<unsigned>());
        check_launch("read");
    }

  private:
    std::size_t bytes_;
    DeviceMemory from_, result_;
};

/// Between the device and pinned host memory.
class HostCopy final : public TimedKernel {
  public:
    HostCopy(const KernelPoint& point, bool to_device)
        : TimedKernel(point.cold, 1),
          bytes_(moved(point)),
          device_(random_values(Dtype::int8, bytes_, 1)),
          to_device_(to_device) {
        check(cudaHostAlloc(&host_, bytes_, cudaHostAllocDefault), "pinned memory");
        auto* const words = static_cast<unsigned*>(host_);
        for (std::size_t i = 0; i < bytes_ / 4; ++i) words[i] = static_cast<unsigned>(hashed(6, i));
    }
    ~HostCopy() override { cudaFreeHost(host_); }

    double error() override {
        // Whichever side is written starts out different from the other.
        if (to_device_) poison(device_);
        if (!to_device_) std::memset(host_, 0xff, bytes_);
        run_plainly();
        const auto* const words = static_cast<const unsigned*>(host_);
        return different(to_host<unsigned>(device_.as(), bytes_ / 4), {words, words + bytes_ / 4});
    }
    [[nodiscard]] double tolerance() const override { return 0; }

  protected:
    void launch(cudaStream_t stream, int) override {
        if (to_device_)
            check(cudaMemcpyAsync(device_.as(), host_, bytes_, cudaMemcpyHostToDevice, stream), "copy");
        else
            check(cudaMemcpyAsync(host_, device_.as(), bytes_, cudaMemcpyDeviceToHost, stream), "copy");
    }

  private:
    std::size_t bytes_;
    DeviceMemory device_;
    void* host_ = nullptr;
    bool to_device_;
};

/// From this device to the next one.
class PeerCopy final : public TimedKernel {
  public:
    explicit PeerCopy(const KernelPoint& point) : TimedKernel(point.cold, 1), bytes_(moved(point)) {
        if (device_count() < 2) throw std::runtime_error("a peer copy needs two devices");
        const int mine = device_limits().index;
        const int peer = (mine + 1) % device_count();
        from_ = random_values(Dtype::int8, bytes_, 1);
        int reachable = 0;
        check(cudaDeviceCanAccessPeer(&reachable, mine, peer), "peer access");
        if (reachable != 0 && cudaDeviceEnablePeerAccess(peer, 0) != cudaSuccess)
            cudaGetLastError();  // enabled already
        check(cudaSetDevice(peer), "peer");
        to_ = DeviceMemory(bytes_);
        check(cudaSetDevice(mine), "device");
    }

    double error() override {
        poison(to_);
        run_plainly();
        return different(to_host<unsigned>(from_.as(), bytes_ / 4), to_host<unsigned>(to_.as(), bytes_ / 4));
    }
    [[nodiscard]] double tolerance() const override { return 0; }

  protected:
    void launch(cudaStream_t stream, int) override {
        check(cudaMemcpyAsync(to_.as(), from_.as(), bytes_, cudaMemcpyDefault, stream), "peer copy");
    }

  private:
    std::size_t bytes_;
    DeviceMemory from_, to_;
};

/// Sizes from well inside the L2 cache to well past it.
std::vector<KernelPoint> points(bool quick) {
    std::vector<KernelPoint> result;
    const auto add = [&](const char* path, std::int64_t bytes, bool cold) {
        if (static_cast<std::size_t>(bytes) > device_limits().memory_bytes / 4) return;
        KernelPoint point{KernelClass::memory, path, "", "", {}, cold};
        point.shape.bytes = bytes;
        result.push_back(point);
    };
    constexpr std::int64_t mebibyte = std::int64_t{1} << 20;
    for (const std::int64_t mebibytes :
         quick ? std::vector<std::int64_t>{2048, 8}
               : std::vector<std::int64_t>{2048, 8, 1, 4, 16, 32, 64, 128, 256, 512, 1024, 4096}) {
        for (const char* const path : {"copy", "read"}) {
            add(path, mebibytes * mebibyte, false);
            if (!quick || mebibytes > 1024) add(path, mebibytes * mebibyte, true);
        }
    }
    for (const std::int64_t kibibytes :
         quick ? std::vector<std::int64_t>{262144, 64} : std::vector<std::int64_t>{262144, 64, 4, 1024, 16384, 65536}) {
        add("host_to_device", kibibytes * 1024, false);
        add("device_to_host", kibibytes * 1024, false);
        if (device_count() >= 2) add("peer", kibibytes * 1024, false);
    }
    return result;
}

std::unique_ptr<PreparedKernel> prepare(const KernelPoint& point) {
    if (moved(point) == 0) throw std::runtime_error("nothing to move");
    if (point.path == "copy") return std::make_unique<Copy>(point);
    if (point.path == "read") return std::make_unique<Read>(point);
    if (point.path == "host_to_device") return std::make_unique<HostCopy>(point, true);
    if (point.path == "device_to_host") return std::make_unique<HostCopy>(point, false);
    if (point.path == "peer") return std::make_unique<PeerCopy>(point);
    throw std::runtime_error("unknown memory kernel '" + point.path + "'");
}

}  // namespace

void register_memory(Registry<Microbenchmark>& registry) {
    registry.add("memory", {"copies and reads within the device from cache sizes to memory sizes, copies from and to "
                            "pinned host memory and to the next device (bytes: what crosses the link)",
                            points, prepare});
}

}  // namespace plimsoll
