#include <chrono>

#include "calibrate/cuda/benches.hpp"
#include "calibrate/cuda/device.hpp"
#include "calibrate/cuda/launch.cuh"
#include "calibrate/cuda/timed_kernel.hpp"

namespace plimsoll {
namespace {

using namespace cuda;

__global__ void count_up(unsigned* counter) {
    *counter += 1;
}

/// A chain of m tiny kernels, each in need of the one before.
class Launches : public PreparedKernel {
  public:
    explicit Launches(const KernelPoint& point)
        : kernels_(static_cast<int>(point.shape.m)), counter_(sizeof(unsigned)) {
        check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "stream");
        check(cudaEventCreate(&start_), "event");
        check(cudaEventCreate(&stop_), "event");
        enqueue();
        check(cudaStreamSynchronize(stream_), "kernel");
    }
    ~Launches() override {
        cudaEventDestroy(start_);
        cudaEventDestroy(stop_);
        cudaStreamDestroy(stream_);
    }

    double error() override {
        check(cudaMemset(counter_.as(), 0, counter_.bytes()), "clear");
        check(cudaDeviceSynchronize(), "clear");
        run();
        return to_host<unsigned>(counter_.as(), 1).front() == static_cast<unsigned>(kernels_) ? 0 : 1;
    }
    [[nodiscard]] double tolerance() const override { return 0; }

  protected:
    void enqueue() const {
        for (int i = 0; i < kernels_; ++i) start_kernel(count_up, {1, 1, 0, stream_}, counter_.as<unsigned>());
        check_launch("launch");
    }
    [[nodiscard]] Seconds device_time() const {
        check(cudaEventSynchronize(stop_), "kernel");
        float milliseconds = 0;
        check(cudaEventElapsedTime(&milliseconds, start_, stop_), "event");
        return Seconds(static_cast<double>(milliseconds) * 1e-3);
    }

    int kernels_;
    DeviceMemory counter_;
    cudaStream_t stream_ = nullptr;
    cudaEvent_t start_ = nullptr, stop_ = nullptr;
};

/// The host's time for one launch into a stream that the device is behind with.
class HostLaunch final : public Launches {
  public:
    using Launches::Launches;
    Reading run() override {
        const auto start = std::chrono::steady_clock::now();
        enqueue();
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
        check(cudaStreamSynchronize(stream_), "kernel");
        Reading reading;
        reading.elapsed = Seconds(took.count() / kernels_);
        read_clock(reading);
        return reading;
    }
};

/// The device's time from one kernel of a stream to the next.
class DeviceLaunch final : public Launches {
  public:
    using Launches::Launches;
    Reading run() override {
        gate_.close(stream_);
        check(cudaEventRecord(start_, stream_), "event");
        enqueue();
        check(cudaEventRecord(stop_, stream_), "event");
        gate_.open();
        Reading reading;
        reading.elapsed = device_time() / static_cast<double>(kernels_);
        if (gate_.gave_way()) throw std::runtime_error("the host took longer than 0.2 s to enqueue the work");
        read_clock(reading);
        return reading;
    }

  private:
    Gate gate_;
};

/// A graph of the chain: the device's time a node, or the host's time for the launch of the whole.
class GraphLaunch final : public Launches {
  public:
    GraphLaunch(const KernelPoint& point, bool of_host) : Launches(point), of_host_(of_host) {
        cudaGraph_t graph = nullptr;
        check(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal), "capture");
        enqueue();
        check(cudaStreamEndCapture(stream_, &graph), "capture");
        const cudaError_t status = cudaGraphInstantiateWithFlags(&graph_, graph, 0);
        cudaGraphDestroy(graph);
        check(status, "graph");
        check(cudaGraphLaunch(graph_, stream_), "graph");
        check(cudaStreamSynchronize(stream_), "graph");
    }
    ~GraphLaunch() override {
        gate_.open();
        cudaGraphExecDestroy(graph_);
    }

    Reading run() override {
        gate_.close(stream_);
        check(cudaEventRecord(start_, stream_), "event");
        const auto start = std::chrono::steady_clock::now();
        check(cudaGraphLaunch(graph_, stream_), "graph");
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
        check(cudaEventRecord(stop_, stream_), "event");
        gate_.open();
        const Seconds on_device = device_time();
        if (gate_.gave_way()) throw std::runtime_error("the host took longer than 0.2 s to launch a graph");
        Reading reading;
        reading.elapsed = of_host_ ? Seconds(took.count()) : on_device / static_cast<double>(kernels_);
        read_clock(reading);
        return reading;
    }

  private:
    Gate gate_;
    cudaGraphExec_t graph_ = nullptr;
    bool of_host_;
};

std::vector<KernelPoint> points(bool quick) {
    std::vector<KernelPoint> result;
    for (const std::int64_t kernels :
         quick ? std::vector<std::int64_t>{256} : std::vector<std::int64_t>{256, 16, 64, 512})
        for (const char* const path : {"host", "stream", "graph_node", "graph"}) {
            KernelPoint point{KernelClass::launch, path, "", "", {}, false};
            point.shape.m = kernels;
            result.push_back(point);
        }
    return result;
}

std::unique_ptr<PreparedKernel> prepare(const KernelPoint& point) {
    if (point.shape.m < 1) throw std::runtime_error("nothing to launch");
    if (point.path == "host") return std::make_unique<HostLaunch>(point);
    if (point.path == "stream") return std::make_unique<DeviceLaunch>(point);
    if (point.path == "graph_node") return std::make_unique<GraphLaunch>(point, false);
    if (point.path == "graph") return std::make_unique<GraphLaunch>(point, true);
    throw std::runtime_error("unknown launch '" + point.path + "'");
}

}  // namespace

void register_launch(Registry<Microbenchmark>& registry) {
    registry.add("launch", {"a chain of m tiny kernels: host time a launch, device time a kernel in a stream (stream) "
                            "and in a graph (graph_node), host time to launch the whole graph (graph)",
                            points, prepare});
}

}  // namespace plimsoll
