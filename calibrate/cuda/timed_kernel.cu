#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "calibrate/cuda/device.hpp"
#include "calibrate/cuda/launch.cuh"
#include "calibrate/cuda/timed_kernel.hpp"

namespace plimsoll::cuda {
namespace {

constexpr unsigned long long longest_wait_ns = 200'000'000;
constexpr double seconds_per_reading = 1e-3;  // beside it the few microseconds around the events are some 0.3 %
constexpr int most_repeats = 256;

__global__ void wait_for(volatile unsigned* flags, unsigned long long most_ns) {
    unsigned long long start = 0, now = 0;
    asm volatile("mov.u64 %0, %globaltimer;" : "=l"(start));
    while (flags[0] == 0) {
        asm volatile("mov.u64 %0, %globaltimer;" : "=l"(now));
        if (now - start > most_ns) {
            flags[1] = 1;
            return;
        }
    }
}

}  // namespace

Gate::Gate() {
    check(cudaHostAlloc(reinterpret_cast<void**>(&flags_), 2 * sizeof(unsigned), cudaHostAllocPortable), "gate");
    flags_[0] = 1;
    flags_[1] = 0;
}

Gate::~Gate() {
    open();
    cudaFreeHost(flags_);
}

void Gate::close(cudaStream_t stream) {
    static_cast<volatile unsigned*>(flags_)[1] = 0;
    static_cast<volatile unsigned*>(flags_)[0] = 0;
    start_kernel(wait_for, {1, 1, 0, stream}, flags_, longest_wait_ns);
    check_launch("gate");
}

void Gate::open() {
    static_cast<volatile unsigned*>(flags_)[0] = 1;
}

bool Gate::gave_way() const {
    return static_cast<const volatile unsigned*>(flags_)[1] != 0;
}

TimedKernel::TimedKernel(bool cold, int copies) : cold_(cold), copies_(copies) {
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "stream");
    check(cudaEventCreate(&start_), "event");
    check(cudaEventCreate(&stop_), "event");
}

TimedKernel::~TimedKernel() {
    gate_.open();
    if (graph_ != nullptr) cudaGraphExecDestroy(graph_);
    cudaEventDestroy(start_);
    cudaEventDestroy(stop_);
    cudaStreamDestroy(stream_);
}

void TimedKernel::run_plainly() {
    launch(stream_, 0);
    check(cudaStreamSynchronize(stream_), "kernel");
}

double TimedKernel::seconds_of_one() {
    run_plainly();  // loads the module and leaves its cost here
    check(cudaEventRecord(start_, stream_), "event");
    launch(stream_, copies_ - 1);
    check(cudaEventRecord(stop_, stream_), "event");
    check(cudaEventSynchronize(stop_), "kernel");
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, start_, stop_), "event");
    return std::max(1e-6, static_cast<double>(milliseconds) * 1e-3);
}

void TimedKernel::capture() {
    const double wanted = std::ceil(seconds_per_reading / seconds_of_one());
    repeats_ = static_cast<int>(std::clamp<double>(wanted, 1, cold_ ? copies_ : most_repeats));
    cudaGraph_t graph = nullptr;
    check(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal), "capture");
    try {
        for (int i = 0; i < repeats_; ++i) launch(stream_, i % copies_);
    } catch (...) {
        cudaStreamEndCapture(stream_, &graph);
        if (graph != nullptr) cudaGraphDestroy(graph);
        throw;
    }
    check(cudaStreamEndCapture(stream_, &graph), "capture");
    const cudaError_t status = cudaGraphInstantiateWithFlags(&graph_, graph, 0);
    cudaGraphDestroy(graph);
    check(status, "graph");
    check(cudaGraphUpload(graph_, stream_), "graph");
    check(cudaGraphLaunch(graph_, stream_), "graph");
    flush_cache(stream_);
    check(cudaStreamSynchronize(stream_), "graph");
}

Reading TimedKernel::run() {
    if (graph_ == nullptr) capture();
    for (int attempt = 0; attempt < 3; ++attempt) {
        if (cold_) flush_cache(stream_);
        gate_.close(stream_);
        check(cudaEventRecord(start_, stream_), "event");
        check(cudaGraphLaunch(graph_, stream_), "graph");
        check(cudaEventRecord(stop_, stream_), "event");
        gate_.open();
        check(cudaEventSynchronize(stop_), "kernel");
        if (gate_.gave_way()) continue;
        float milliseconds = 0;
        check(cudaEventElapsedTime(&milliseconds, start_, stop_), "event");
        Reading reading;
        reading.elapsed = Seconds(static_cast<double>(milliseconds) * 1e-3 / repeats_);
        read_clock(reading);
        return reading;
    }
    throw std::runtime_error("the host took longer than 0.2 s to enqueue the work, three times in a row");
}

}  // namespace plimsoll::cuda
