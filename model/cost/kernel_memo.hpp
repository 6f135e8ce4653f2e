#pragma once
#include <cstddef>
#include <functional>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "model/cost/kernel_form.hpp"

namespace plimsoll {

/// Parts of products already evaluated: a form that tries tiles, or a learner of many points, costs microseconds, and
/// candidates and draws ask for the same shapes again. Safe among threads.
class KernelMemo {
  public:
    struct Key {
        double m = 0, n = 0, k = 0;
        Dtype arithmetic = Dtype::fp16;
        bool expanded_weights = false;
        bool padded = false;  ///< m is rounded up before the kernel sees it
        FlopPerSecond peak{};
        friend bool operator==(const Key&, const Key&) = default;
    };

    [[nodiscard]] std::optional<KernelParts> find(const Key& key) {
        const std::lock_guard lock(mutex_);
        const auto found = parts_.find(key);
        return found == parts_.end() ? std::nullopt : std::optional(found->second);
    }
    void keep(const Key& key, const KernelParts& parts) {
        const std::lock_guard lock(mutex_);
        parts_.emplace(key, parts);
    }

  private:
    struct Hash {
        std::size_t operator()(const Key& key) const {
            std::size_t seed = 4 * static_cast<std::size_t>(key.arithmetic) + 2 * key.expanded_weights + key.padded;
            for (const double size : {key.m, key.n, key.k}) seed = seed * 1099511628211ULL ^ std::hash<double>()(size);
            return seed;
        }
    };
    std::mutex mutex_;
    std::unordered_map<Key, KernelParts, Hash> parts_;
};

}  // namespace plimsoll
