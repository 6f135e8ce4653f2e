#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include <cuda_runtime_api.h>

namespace plimsoll::cuda {

/// NVIDIA's collective library, loaded at run time: a machine without it builds and runs all the same.
class Nccl {
  public:
    using Communicator = void*;
    enum class DataType { fp16 = 6, fp32 = 7, bf16 = 9 };  // of nccl.h

    /// Null where libnccl.so.2 is not installed.
    [[nodiscard]] static const Nccl* loaded();
    [[nodiscard]] std::string version() const;

    /// One communicator for each of the first `ranks` devices; made once, as that takes a second or more, and kept.
    [[nodiscard]] const std::vector<Communicator>& communicators(int ranks) const;

    void group_start() const;
    void group_end() const;
    void all_reduce(const void* send, void* receive, std::size_t count, DataType type, Communicator communicator,
                    cudaStream_t stream) const;  ///< sums
    void all_gather(const void* send, void* receive, std::size_t count, DataType type, Communicator communicator,
                    cudaStream_t stream) const;  ///< `count` of each rank
    void reduce_scatter(const void* send, void* receive, std::size_t count, DataType type, Communicator communicator,
                        cudaStream_t stream) const;  ///< sums; `count` for each rank
    void send(const void* data, std::size_t count, DataType type, int peer, Communicator communicator,
              cudaStream_t stream) const;
    void receive(void* data, std::size_t count, DataType type, int peer, Communicator communicator,
                 cudaStream_t stream) const;

  private:
    explicit Nccl(void* library);
    void check(int status, const char* what) const;
    template <class Function>
    [[nodiscard]] Function symbol(const char* name);

    void* library_;
    bool complete_ = true;
    // As declared by nccl.h (NCCL user guide, "API").
    int (*get_version_)(int*);
    const char* (*error_text_)(int);
    int (*init_all_)(Communicator*, int, const int*);
    int (*group_start_)();
    int (*group_end_)();
    int (*all_reduce_)(const void*, void*, std::size_t, int, int, Communicator, cudaStream_t);
    int (*all_gather_)(const void*, void*, std::size_t, int, Communicator, cudaStream_t);
    int (*reduce_scatter_)(const void*, void*, std::size_t, int, int, Communicator, cudaStream_t);
    int (*send_)(const void*, std::size_t, int, int, Communicator, cudaStream_t);
    int (*receive_)(void*, std::size_t, int, int, Communicator, cudaStream_t);
};

}  // namespace plimsoll::cuda
