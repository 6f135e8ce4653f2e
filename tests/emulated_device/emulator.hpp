#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

/// Runs CUDA kernels, compiled as C++, on the host: each thread of a block is a fiber, and which fiber goes on after a
/// barrier or an exchange within a warp is drawn at random, so that a missing barrier shows as a wrong result for some
/// seed. Asynchronous copies are done at once or as late as their wait allows, at random. Memory ends where a page
/// that must not be touched begins, and holds not-a-numbers until it is written.
namespace plimsoll::emulated {

struct Triple {
    unsigned x = 1, y = 1, z = 1;
};

/// Where the running fiber is.
inline Triple thread_index{}, block_index{}, block_size{}, grid_size{};

/// Draws of the schedules that follow begin anew.
void use_schedule(std::uint64_t seed);
[[nodiscard]] std::uint64_t draw();
/// Runs `thread` for every thread of every block, one block after another. Throws std::logic_error where threads wait
/// for one another for ever.
void run_grid(const Triple& grid, const Triple& block, std::size_t shared_bytes, const std::function<void()>& thread);
/// Dynamic shared memory of the block.
[[nodiscard]] void* shared_memory();
/// All threads of the block come here, those that have ended excepted.
void block_barrier();
/// The 32 lanes of the warp come here with their operands; the last one has `perform` act on those of all.
void warp_meeting(void* operands, const std::function<void(const std::array<void*, 32>&)>& perform);
template <class Operands, class Perform>
void together(Operands& mine, Perform&& perform) {
    warp_meeting(&mine, [&](const std::array<void*, 32>& all) {
        std::array<Operands*, 32> typed;
        for (std::size_t lane = 0; lane < 32; ++lane) typed[lane] = static_cast<Operands*>(all[lane]);
        perform(typed);
    });
}
[[nodiscard]] inline int lane() {
    return static_cast<int>(thread_index.x % 32);
}

/// An asynchronous copy of the running thread: `act` happens now or when the thread waits for its group.
void copy_later(std::function<void()> act);
void end_copy_group();
void wait_for_copies(std::size_t most_pending);

/// Memory in front of a page that must not be touched, filled with set bits.
[[nodiscard]] void* guarded_memory(std::size_t bytes);
void free_guarded(void* memory);

}  // namespace plimsoll::emulated
