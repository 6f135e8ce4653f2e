#include "tests/emulated_device/emulator.hpp"

#include <csetjmp>
#include <cstring>
#include <map>
#include <memory>
#include <stdexcept>

#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "tests/emulated_device/cuda_runtime_api.h"

namespace plimsoll::emulated {
namespace {

enum class State { ready, in_meeting, in_barrier, ended };

struct Fiber {
    ucontext_t context{};
    jmp_buf at{};
    bool begun = false;
    State state = State::ready;
    unsigned number = 0;
    std::vector<std::function<void()>> open;                 // copies asked for, not yet in a group
    std::vector<std::vector<std::function<void()>>> groups;  // not yet waited for
};

struct Meeting {
    int arrived = 0;
    std::array<void*, 32> operands{};
};

constexpr std::size_t stack_bytes = std::size_t{1} << 17;

/// The block that is running.
struct Block {
    std::vector<Fiber> fibers;
    std::vector<Meeting> meetings;
    std::unique_ptr<char[]> stacks;
    const std::function<void()>* thread = nullptr;
    jmp_buf scheduler{};
    ucontext_t scheduler_context{};
    Fiber* running = nullptr;
    void* shared = nullptr;
    unsigned alive = 0, at_barrier = 0;
};
Block block;
std::uint64_t random_state = 1;

void yield() {
    if (_setjmp(block.running->at) == 0) _longjmp(block.scheduler, 1);
}

void release_barrier() {
    if (block.at_barrier != block.alive) return;
    block.at_barrier = 0;
    for (Fiber& fiber : block.fibers)
        if (fiber.state == State::in_barrier) fiber.state = State::ready;
}

void run_fiber() {
    (*block.thread)();
    block.running->state = State::ended;
    --block.alive;
    release_barrier();
    _longjmp(block.scheduler, 1);
}

void resume(Fiber& fiber) {
    block.running = &fiber;
    thread_index = {fiber.number, 0, 0};
    if (_setjmp(block.scheduler) != 0) return;
    if (fiber.begun) _longjmp(fiber.at, 1);
    fiber.begun = true;
    setcontext(&fiber.context);
}

void start(Fiber& fiber, unsigned number) {
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = block.stacks.get() + number * stack_bytes;
    fiber.context.uc_stack.ss_size = stack_bytes;
    fiber.context.uc_link = nullptr;
    fiber.number = number;
    makecontext(&fiber.context, run_fiber, 0);
}

void run_block(unsigned threads, const std::function<void()>& thread) {
    if (block.stacks == nullptr || block.fibers.size() < threads) block.stacks.reset(new char[threads * stack_bytes]);
    block.fibers = std::vector<Fiber>(threads);
    block.meetings.assign(threads / 32 + 1, {});
    block.thread = &thread;
    block.alive = threads;
    block.at_barrier = 0;
    for (unsigned i = 0; i < threads; ++i) start(block.fibers[i], i);
    // Some warps are slow.
    std::vector<std::uint64_t> pace(threads / 32 + 1);
    for (auto& one_of : pace) one_of = std::uint64_t{1} << (3 * (draw() % 3));
    std::vector<Fiber*> ready;
    while (block.alive > 0) {
        ready.clear();
        for (Fiber& fiber : block.fibers)
            if (fiber.state == State::ready) ready.push_back(&fiber);
        if (ready.empty()) throw std::logic_error("threads of an emulated block wait for one another for ever");
        // All of the warps that go on, in a random order.
        std::vector<bool> goes_on(pace.size());
        for (std::size_t warp = 0; warp < pace.size(); ++warp) goes_on[warp] = draw() % pace[warp] == 0;
        for (std::size_t i = ready.size(); i > 0; --i) {
            std::swap(ready[i - 1], ready[draw() % i]);
            if (goes_on[ready[i - 1]->number / 32]) resume(*ready[i - 1]);
        }
    }
}

void act_on(std::vector<std::function<void()>>& copies) {
    for (const auto& copy : copies) copy();
    copies.clear();
}

struct Region {
    void* start;
    std::size_t bytes;
};
std::map<void*, Region> regions;

}  // namespace

std::uint64_t draw() {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state >> 11;
}

void use_schedule(std::uint64_t seed) {
    random_state = seed * 0x9e3779b97f4a7c15ULL + 1;
}

void run_grid(const Triple& grid, const Triple& size, std::size_t shared_bytes, const std::function<void()>& thread) {
    grid_size = grid;
    block_size = size;
    block.shared = guarded_memory(shared_bytes);
    for (unsigned z = 0; z < grid.z; ++z)
        for (unsigned y = 0; y < grid.y; ++y)
            for (unsigned x = 0; x < grid.x; ++x) {
                std::memset(block.shared, 0xff, shared_bytes);
                block_index = {x, y, z};
                run_block(size.x * size.y * size.z, thread);
            }
    free_guarded(block.shared);
}

void* shared_memory() {
    return block.shared;
}

void block_barrier() {
    block.running->state = State::in_barrier;
    ++block.at_barrier;
    release_barrier();
    yield();
}

void warp_meeting(void* operands, const std::function<void(const std::array<void*, 32>&)>& perform) {
    const unsigned warp = block.running->number / 32;
    Meeting& meeting = block.meetings[warp];
    meeting.operands[block.running->number % 32] = operands;
    block.running->state = State::in_meeting;
    if (++meeting.arrived == 32) {
        perform(meeting.operands);
        meeting.arrived = 0;
        for (unsigned i = 0; i < 32; ++i) block.fibers[warp * 32 + i].state = State::ready;
    }
    yield();
}

void copy_later(std::function<void()> act) {
    if (draw() % 2 == 0) return act();
    block.running->open.push_back(std::move(act));
}

void end_copy_group() {
    block.running->groups.push_back(std::move(block.running->open));
    block.running->open.clear();
}

void wait_for_copies(std::size_t most_pending) {
    auto& groups = block.running->groups;
    while (groups.size() > most_pending) {
        act_on(groups.front());
        groups.erase(groups.begin());
    }
}

void* guarded_memory(std::size_t bytes) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t used = (bytes + 15) / 16 * 16, pages = (used + page - 1) / page * page;
    void* const start = mmap(nullptr, pages + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED) throw std::bad_alloc();
    mprotect(static_cast<char*>(start) + pages, page, PROT_NONE);
    std::memset(start, 0xff, pages);
    void* const memory = static_cast<char*>(start) + (pages - used);
    regions[memory] = {start, pages + page};
    return memory;
}

void free_guarded(void* memory) {
    const auto found = regions.find(memory);
    if (found == regions.end()) return;
    munmap(found->second.start, found->second.bytes);
    regions.erase(found);
}

}  // namespace plimsoll::emulated

std::size_t& allowed_shared_bytes(const void* kernel) {
    static std::map<const void*, std::size_t> allowed;
    return allowed.try_emplace(kernel, std::size_t{48} << 10).first->second;
}
