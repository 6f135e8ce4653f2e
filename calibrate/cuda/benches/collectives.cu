#include <algorithm>

#include "calibrate/cuda/benches.hpp"
#include "calibrate/cuda/device.hpp"
#include "calibrate/cuda/nccl.hpp"
#include "calibrate/cuda/numeric.cuh"
#include "calibrate/cuda/one_shot.hpp"
#include "calibrate/cuda/timed_kernel.hpp"

namespace plimsoll {
namespace {

using namespace cuda;

/// Makes a device current for a scope.
class OnDevice {
  public:
    explicit OnDevice(int device) {
        check(cudaGetDevice(&before_), "which device");
        check(cudaSetDevice(device), "device");
    }
    OnDevice(const OnDevice&) = delete;
    OnDevice& operator=(const OnDevice&) = delete;
    ~OnDevice() { cudaSetDevice(before_); }

  private:
    int before_ = 0;
};

/// What one device has of an exchange.
struct Rank {
    int device = 0;
    DeviceMemory send, receive, flags;
    cudaStream_t stream = nullptr;
    cudaEvent_t start = nullptr, stop = nullptr;
    Nccl::Communicator communicator = nullptr;
};

/// Buffer sizes in units of the shape's bytes: what one rank contributes.
std::size_t received_bytes(const KernelPoint& point) {
    const auto bytes = static_cast<std::size_t>(point.shape.bytes);
    if (point.kernel == KernelClass::all_gather) return bytes * static_cast<std::size_t>(point.shape.ranks);
    if (point.kernel == KernelClass::reduce_scatter) return bytes / static_cast<std::size_t>(point.shape.ranks);
    return bytes;
}

/// An exchange between the first devices of the machine. The time of one is the slowest rank's over some in a row.
class Collective final : public PreparedKernel {
  public:
    explicit Collective(const KernelPoint& point)
        : point_(point),
          dtype_(dtype_of(point.dtype)),
          count_(static_cast<std::size_t>(point.shape.bytes) / 2),
          repeats_(static_cast<int>(std::clamp<std::int64_t>((std::int64_t{1} << 28) / point.shape.bytes, 1, 20))) {
        const auto ranks = static_cast<int>(point.shape.ranks);
        if (ranks < 2 || ranks > OneShot::most_ranks || ranks > device_count())
            throw std::runtime_error(std::to_string(ranks) + " ranks on " + std::to_string(device_count()) +
                                     " devices");
        if (count_ % static_cast<std::size_t>(8 * ranks) != 0)
            throw std::runtime_error("the bytes do not divide into 16 for each rank");
        for (int device = 0; device < ranks; ++device) ranks_.push_back(make_rank(device));
        if (point.path == "one_shot")
            connect_peers();
        else
            connect_nccl(ranks);
        enqueue();
        wait();
    }
    ~Collective() override {
        gate_.open();
        for (Rank& rank : ranks_) {
            const OnDevice on(rank.device);
            cudaStreamSynchronize(rank.stream);
            cudaEventDestroy(rank.start);
            cudaEventDestroy(rank.stop);
            cudaStreamDestroy(rank.stream);
        }
    }

    Reading run() override {
        for (const Rank& rank : ranks_) {
            const OnDevice on(rank.device);
            gate_.close(rank.stream);
            check(cudaEventRecord(rank.start, rank.stream), "event");
        }
        for (int i = 0; i < repeats_; ++i) enqueue();
        for (const Rank& rank : ranks_) {
            const OnDevice on(rank.device);
            check(cudaEventRecord(rank.stop, rank.stream), "event");
        }
        gate_.open();
        wait();
        if (gate_.gave_way()) throw std::runtime_error("the host took longer than 0.2 s to enqueue the exchange");
        float slowest = 0;
        for (const Rank& rank : ranks_) {
            float milliseconds = 0;
            check(cudaEventElapsedTime(&milliseconds, rank.start, rank.stop), "event");
            slowest = std::max(slowest, milliseconds);
        }
        Reading reading;
        reading.elapsed = Seconds(static_cast<double>(slowest) * 1e-3 / repeats_);
        read_clock(reading);
        return reading;
    }

    double error() override {
        for (const Rank& rank : ranks_) {
            const OnDevice on(rank.device);
            poison(rank.receive);
        }
        enqueue();
        wait();
        double worst = 0;
        for (std::size_t rank = 0; rank < ranks_.size(); ++rank) worst = std::max(worst, error_of(rank));
        return worst;
    }
    [[nodiscard]] double tolerance() const override {
        const bool sums = point_.kernel == KernelClass::all_reduce || point_.kernel == KernelClass::reduce_scatter;
        if (!sums) return 0;
        // A ring rounds after each of its additions.
        return (dtype_ == Dtype::bf16 ? 4e-3 : 5e-4) * static_cast<double>(point_.shape.ranks);
    }

  private:
    Rank make_rank(int device) const {
        const OnDevice on(device);
        Rank rank;
        rank.device = device;
        rank.send = random_values(dtype_, count_, 10 + static_cast<std::uint64_t>(device));
        rank.receive = DeviceMemory(received_bytes(point_));
        check(cudaStreamCreateWithFlags(&rank.stream, cudaStreamNonBlocking), "stream");
        check(cudaEventCreate(&rank.start), "event");
        check(cudaEventCreate(&rank.stop), "event");
        return rank;
    }

    void connect_nccl(int ranks) {
        if (Nccl::loaded() == nullptr) throw std::runtime_error("libnccl.so.2 is not installed");
        const auto& communicators = Nccl::loaded()->communicators(ranks);
        for (std::size_t i = 0; i < ranks_.size(); ++i) ranks_[i].communicator = communicators[i];
    }

    void connect_peers() {
        for (Rank& rank : ranks_) {
            const OnDevice on(rank.device);
            for (const Rank& peer : ranks_) {
                if (peer.device == rank.device) continue;
                int reachable = 0;
                check(cudaDeviceCanAccessPeer(&reachable, rank.device, peer.device), "peer access");
                if (reachable == 0) throw std::runtime_error("the devices have no access to one another's memory");
                if (cudaDeviceEnablePeerAccess(peer.device, 0) != cudaSuccess) cudaGetLastError();  // enabled already
            }
            rank.flags = DeviceMemory(OneShot::flag_words() * sizeof(unsigned));
            check(cudaMemset(rank.flags.as(), 0, rank.flags.bytes()), "clear");
            check(cudaDeviceSynchronize(), "clear");
        }
        one_shot_.count = count_;
        one_shot_.ranks = static_cast<int>(ranks_.size());
        for (std::size_t i = 0; i < ranks_.size(); ++i) {
            one_shot_.inputs[i] = ranks_[i].send.as();
            one_shot_.outputs[i] = ranks_[i].receive.as();
            one_shot_.flags[i] = ranks_[i].flags.as<unsigned>();
        }
    }

    void enqueue() const {
        if (point_.path == "one_shot") {
            for (const Rank& rank : ranks_) {
                const OnDevice on(rank.device);
                one_shot_all_reduce(dtype_, one_shot_, rank.device, 1, rank.stream);
            }
            return;
        }
        const Nccl& nccl = *Nccl::loaded();
        nccl.group_start();
        for (std::size_t i = 0; i < ranks_.size(); ++i) enqueue_nccl(nccl, i);
        nccl.group_end();
    }

    void enqueue_nccl(const Nccl& nccl, std::size_t index) const {
        const Rank& rank = ranks_[index];
        const auto type = dtype_ == Dtype::fp16 ? Nccl::DataType::fp16 : Nccl::DataType::bf16;
        const void* const from = rank.send.as();
        void* const to = rank.receive.as();
        const std::size_t share = count_ / ranks_.size();
        switch (point_.kernel) {
            case KernelClass::all_reduce:
                return nccl.all_reduce(from, to, count_, type, rank.communicator, rank.stream);
            case KernelClass::all_gather:
                return nccl.all_gather(from, to, count_, type, rank.communicator, rank.stream);
            case KernelClass::reduce_scatter:
                return nccl.reduce_scatter(from, to, share, type, rank.communicator, rank.stream);
            case KernelClass::all_to_all:
                for (std::size_t peer = 0; peer < ranks_.size(); ++peer) {
                    const auto number = static_cast<int>(peer);
                    nccl.send(rank.send.as<Half>() + peer * share, share, type, number, rank.communicator, rank.stream);
                    nccl.receive(rank.receive.as<Half>() + peer * share, share, type, number, rank.communicator,
                                 rank.stream);
                }
                return;
            default:  // from the first rank to the last
                if (index == 0)
                    nccl.send(from, count_, type, static_cast<int>(ranks_.size()) - 1, rank.communicator, rank.stream);
                if (index + 1 == ranks_.size()) nccl.receive(to, count_, type, 0, rank.communicator, rank.stream);
        }
    }

    void wait() const {
        for (const Rank& rank : ranks_) {
            const OnDevice on(rank.device);
            check(cudaStreamSynchronize(rank.stream), "exchange");
        }
    }

    /// Of the first elements of every part that the rank receives from another, or sums.
    [[nodiscard]] double error_of(std::size_t rank) const {
        constexpr std::size_t most = 16384;
        const std::size_t ranks = ranks_.size(), share = count_ / ranks;
        std::vector<double> values, reference;
        const auto compare = [&](std::size_t to, std::size_t count, std::size_t from, std::size_t first,
                                 std::size_t last) {
            count = std::min(count, most);
            const auto got = numbers(dtype_, ranks_[rank].receive.as<Half>() + to, count);
            values.insert(values.end(), got.begin(), got.end());
            std::vector<double> sum(count);
            for (std::size_t sender = first; sender <= last; ++sender) {
                const auto part = numbers(dtype_, ranks_[sender].send.as<Half>() + from, count);
                std::transform(sum.begin(), sum.end(), part.begin(), sum.begin(), std::plus<>{});
            }
            reference.insert(reference.end(), sum.begin(), sum.end());
        };
        if (point_.kernel == KernelClass::all_reduce) compare(0, count_, 0, 0, ranks - 1);
        if (point_.kernel == KernelClass::reduce_scatter) compare(0, share, rank * share, 0, ranks - 1);
        for (std::size_t peer = 0; peer < ranks; ++peer) {
            if (point_.kernel == KernelClass::all_gather) compare(peer * count_, count_, 0, peer, peer);
            if (point_.kernel == KernelClass::all_to_all) compare(peer * share, share, rank * share, peer, peer);
        }
        if (point_.kernel == KernelClass::send_recv && rank + 1 == ranks) compare(0, count_, 0, 0, 0);
        return relative_deviation(values, reference);
    }

    KernelPoint point_;
    Dtype dtype_;
    std::size_t count_;
    int repeats_;
    std::vector<Rank> ranks_;
    OneShot one_shot_;
    Gate gate_;
};

std::vector<KernelPoint> points_of(KernelClass kernel, bool quick) {
    const int devices = std::min(device_count(), OneShot::most_ranks);
    const std::string dtype = devices > 0 && device_limits().capability >= 80 ? "bf16" : "fp16";
    constexpr std::int64_t largest = std::int64_t{512} << 20, largest_one_shot = std::int64_t{8} << 20;
    std::vector<KernelPoint> result;
    for (std::int64_t ranks = 2; ranks <= devices; ++ranks) {
        if ((ranks & (ranks - 1)) != 0 && (quick || kernel != KernelClass::all_reduce)) continue;
        if (kernel == KernelClass::send_recv && ranks > 2) continue;
        for (std::int64_t size = 1024; size <= largest; size *= quick ? 8 : 2) {
            for (const char* const path : {"nccl", "one_shot"}) {
                const bool one_shot = std::string(path) == "one_shot";
                if (one_shot && (kernel != KernelClass::all_reduce || size > largest_one_shot)) continue;
                if (!one_shot && Nccl::loaded() == nullptr) continue;
                KernelPoint point{kernel, path, dtype, "", {}, false};
                point.shape.bytes = size / (16 * ranks) * (16 * ranks);
                point.shape.ranks = ranks;
                result.push_back(point);
            }
        }
    }
    return result;
}

std::unique_ptr<PreparedKernel> prepare(const KernelPoint& point) {
    return std::make_unique<Collective>(point);
}

}  // namespace

void register_collectives(Registry<Microbenchmark>& registry) {
    const auto add = [&](const char* name, KernelClass kernel, const char* description) {
        registry.add(name, {description, [kernel](bool quick) { return points_of(kernel, quick); }, prepare});
    };
    add("all_reduce", KernelClass::all_reduce,
        "sums over 2 to 8 devices by NCCL (loaded at run time) and, up to 8 MB, by a one-shot exchange of our own");
    add("all_gather", KernelClass::all_gather, "by NCCL");
    add("reduce_scatter", KernelClass::reduce_scatter, "by NCCL");
    add("all_to_all", KernelClass::all_to_all, "by NCCL's sends and receives in one group");
    add("send_recv", KernelClass::send_recv, "from the first device to the second by NCCL");
}

}  // namespace plimsoll
