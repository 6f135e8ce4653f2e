#pragma once
#include <cuda_runtime_api.h>

#include "calibrate/sample.hpp"

namespace plimsoll::cuda {

/// Holds the work that is enqueued after it until it is opened: what comes out of the timing then is the device's time,
/// without the host's time to launch.
class Gate {
  public:
    Gate();
    Gate(const Gate&) = delete;
    Gate& operator=(const Gate&) = delete;
    ~Gate();

    void close(cudaStream_t stream);
    void open();
    /// The gate gave way before it was opened (the host was slower than 0.2 s): the time is void.
    [[nodiscard]] bool gave_way() const;

  private:
    unsigned* flags_ = nullptr;  ///< host memory that the device sees: opened, gave way
};

/// A kernel (or several in sequence) timed as a CUDA graph of some repeats behind a gate, by two events. The repeats of
/// a cold reading each work on data of their own, after the L2 cache was emptied.
class TimedKernel : public PreparedKernel {
  public:
    ~TimedKernel() override;
    Reading run() final;

  protected:
    /// `copies`: data sets that launch() can choose from; a cold reading repeats no more than that.
    TimedKernel(bool cold, int copies);
    /// Enqueues the work on the copy of the data, without waiting.
    virtual void launch(cudaStream_t stream, int copy) = 0;
    /// Runs it once on copy 0 and waits.
    void run_plainly();

  private:
    void capture();
    [[nodiscard]] double seconds_of_one();

    bool cold_;
    int copies_;
    int repeats_ = 1;
    cudaStream_t stream_ = nullptr;
    cudaEvent_t start_ = nullptr, stop_ = nullptr;
    cudaGraphExec_t graph_ = nullptr;
    Gate gate_;
};

/// Clock of the current device now, and whether it is held back.
void read_clock(Reading& reading);
/// Name, driver, clocks, power limit, ECC, versions of the libraries.
[[nodiscard]] DeviceFacts device_facts();

}  // namespace plimsoll::cuda
