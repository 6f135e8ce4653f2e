#include "model/base/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <thread>
#include <vector>

namespace plimsoll {

void in_parallel(std::uint32_t count, std::uint32_t threads, const std::function<void(std::uint32_t)>& task) {
    std::vector<std::exception_ptr> failures(count);
    std::atomic<std::uint32_t> next{0};
    const auto work = [&] {
        for (std::uint32_t index = next++; index < count; index = next++) {
            try {
                task(index);
            } catch (...) {
                failures[index] = std::current_exception();
            }
        }
    };
    {
        std::vector<std::jthread> helpers;
        for (std::uint32_t i = 1; i < std::min(threads, count); ++i) helpers.emplace_back(work);
        work();
    }
    for (const std::exception_ptr& failure : failures)
        if (failure) std::rethrow_exception(failure);
}

}  // namespace plimsoll
