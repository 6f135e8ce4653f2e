#include <algorithm>
#include <string_view>

#include "model/base/error.hpp"
#include "scenarios/simulation_terms.hpp"

namespace plimsoll {
namespace {

using Names = std::vector<std::string_view>;

/// A setting as the terms and the scheduler hold it, and the schedulers that have it; empty: all.
template <class Value>
struct Setting {
    std::string_view name;
    std::optional<Value> EngineTerms::*term;
    Value SchedulerSettings::*setting;
    Names schedulers;
};

std::string name_of(const SchedulerKind& scheduler) {
    for (const auto& [name, kind] : schedulers())
        if (&kind == &scheduler) return name;
    return "";
}

template <class Value>
void apply_one(const Setting<Value>& one, const EngineTerms& terms, const std::string& scheduler,
               SchedulerSettings& settings) {
    const std::optional<Value>& value = terms.*one.term;
    if (!value) return;
    if (!one.schedulers.empty() &&
        std::find(one.schedulers.begin(), one.schedulers.end(), scheduler) == one.schedulers.end()) {
        std::string having;
        for (const std::string_view name : one.schedulers) having += (having.empty() ? "" : ", ") + std::string(name);
        throw InputError(
            terms.places.find(one.name)->second,
            in_quotes(std::string(one.name)) + " is a setting of the scheduler " + having + ", not of " + scheduler);
    }
    settings.*one.setting = *value;
}

}  // namespace

void apply(const EngineTerms& terms, const SchedulerKind& kind, SchedulerSettings& settings) {
    const std::string scheduler = name_of(kind);
    using T = EngineTerms;
    using S = SchedulerSettings;
    const Names sglang{"sglang"};
    for (const Setting<std::uint32_t>& one : std::vector<Setting<std::uint32_t>>{
             {"max_step_tokens", &T::max_step_tokens, &S::max_step_tokens, {}},
             {"kv_block_tokens", &T::block_tokens, &S::block_tokens, {}},
             {"max_waiting_tokens", &T::max_waiting_tokens, &S::max_waiting_tokens, {"tgi", "lightllm"}},
             {"chunk_tokens", &T::chunk_tokens, &S::chunk_tokens, sglang},
             {"new_token_ratio_decay_steps", &T::new_token_ratio_decay_steps, &S::new_token_ratio_decay_steps, sglang},
             {"ubatch_tokens", &T::ubatch_tokens, &S::ubatch_tokens, {"llama-cpp"}}})
        apply_one(one, terms, scheduler, settings);
    for (const Setting<double>& one : std::vector<Setting<double>>{
             {"watermark", &T::watermark, &S::watermark, {}},
             {"waiting_served_ratio", &T::waiting_served_ratio, &S::waiting_served_ratio, {"tgi"}},
             {"new_token_ratio", &T::new_token_ratio, &S::new_token_ratio, sglang},
             {"least_new_token_ratio", &T::least_new_token_ratio, &S::least_new_token_ratio, sglang}})
        apply_one(one, terms, scheduler, settings);
    apply_one<std::uint64_t>({"kv_blocks", &T::kv_blocks, &S::kv_blocks, {}}, terms, scheduler, settings);
    apply_one<bool>({"padded_prefill", &T::padded_prefill, &S::padded_prefill, {"vllm-v0"}}, terms, scheduler,
                    settings);
}

}  // namespace plimsoll
