#include "calibrate/cuda/nccl.hpp"

#include <map>
#include <numeric>
#include <stdexcept>
#include <utility>

#include <dlfcn.h>

namespace plimsoll::cuda {
namespace {

constexpr int success = 0, sum = 0;

int number(Nccl::DataType type) {
    return static_cast<int>(type);
}

}  // namespace

template <class Function>
Function Nccl::symbol(const char* name) {
    void* const found = dlsym(library_, name);
    complete_ = complete_ && found != nullptr;
    return reinterpret_cast<Function>(found);
}

Nccl::Nccl(void* library)
    : library_(library),
      get_version_(symbol<decltype(get_version_)>("ncclGetVersion")),
      error_text_(symbol<decltype(error_text_)>("ncclGetErrorString")),
      init_all_(symbol<decltype(init_all_)>("ncclCommInitAll")),
      group_start_(symbol<decltype(group_start_)>("ncclGroupStart")),
      group_end_(symbol<decltype(group_end_)>("ncclGroupEnd")),
      all_reduce_(symbol<decltype(all_reduce_)>("ncclAllReduce")),
      all_gather_(symbol<decltype(all_gather_)>("ncclAllGather")),
      reduce_scatter_(symbol<decltype(reduce_scatter_)>("ncclReduceScatter")),
      send_(symbol<decltype(send_)>("ncclSend")),
      receive_(symbol<decltype(receive_)>("ncclRecv")) {}

const Nccl* Nccl::loaded() {
    // Kept until the end of the process: the library's own threads outlive any owner.
    static const Nccl* const library = []() -> const Nccl* {
        void* const handle = dlopen("libnccl.so.2", RTLD_NOW | RTLD_LOCAL);
        if (handle == nullptr) return nullptr;
        const auto* const found = new Nccl(handle);
        return found->complete_ ? found : nullptr;
    }();
    return library;
}

void Nccl::check(int status, const char* what) const {
    if (status != success) throw std::runtime_error(std::string("NCCL, ") + what + ": " + error_text_(status));
}

std::string Nccl::version() const {
    int number = 0;
    check(get_version_(&number), "version");
    return std::to_string(number / 10000) + "." + std::to_string(number / 100 % 100) + "." +
           std::to_string(number % 100);
}

const std::vector<Nccl::Communicator>& Nccl::communicators(int ranks) const {
    static std::map<int, std::vector<Communicator>> made;
    const auto found = made.find(ranks);
    if (found != made.end()) return found->second;
    std::vector<int> devices(static_cast<std::size_t>(ranks));
    std::iota(devices.begin(), devices.end(), 0);
    std::vector<Communicator> result(devices.size());
    check(init_all_(result.data(), ranks, devices.data()), "start");
    return made.emplace(ranks, std::move(result)).first->second;
}

void Nccl::group_start() const {
    check(group_start_(), "group");
}

void Nccl::group_end() const {
    check(group_end_(), "group");
}

void Nccl::all_reduce(const void* from, void* to, std::size_t count, DataType type, Communicator communicator,
                      cudaStream_t stream) const {
    check(all_reduce_(from, to, count, number(type), sum, communicator, stream), "all-reduce");
}

void Nccl::all_gather(const void* from, void* to, std::size_t count, DataType type, Communicator communicator,
                      cudaStream_t stream) const {
    check(all_gather_(from, to, count, number(type), communicator, stream), "all-gather");
}

void Nccl::reduce_scatter(const void* from, void* to, std::size_t count, DataType type, Communicator communicator,
                          cudaStream_t stream) const {
    check(reduce_scatter_(from, to, count, number(type), sum, communicator, stream), "reduce-scatter");
}

void Nccl::send(const void* data, std::size_t count, DataType type, int peer, Communicator communicator,
                cudaStream_t stream) const {
    check(send_(data, count, number(type), peer, communicator, stream), "send");
}

void Nccl::receive(void* data, std::size_t count, DataType type, int peer, Communicator communicator,
                   cudaStream_t stream) const {
    check(receive_(data, count, number(type), peer, communicator, stream), "receive");
}

}  // namespace plimsoll::cuda
