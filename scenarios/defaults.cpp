#include "scenarios/defaults.hpp"

#include <algorithm>

#include "model/base/error.hpp"

namespace plimsoll {
namespace {

std::string_view last_step(std::string_view path) {
    return path.substr(path.rfind('.') + 1);  // npos + 1 is 0
}

const ScenarioDefault& default_of(std::string_view path) {
    const std::vector<ScenarioDefault>& all = scenario_defaults();
    const auto found = std::find_if(all.begin(), all.end(), [&](const ScenarioDefault& d) { return d.path == path; });
    PLIMSOLL_ASSERT(found != all.end());
    return *found;
}

}  // namespace

const std::vector<ScenarioDefault>& scenario_defaults() {
    static const std::vector<ScenarioDefault> all{
        {"nodes", R"("all")", "every node type there is, for which one is the question"},
        {"engines", R"("vllm-v1")",
         "paged memory, chunked prefill and continuous batching, as most engines have by now"},
        {"compare_nodes", "true", "an answer for each node type"},
        {"weights", "", "what the model is published in where engine and GPU run it, else 16 bits"},
        {"kv_cache", R"("fp16")", "16 bits, as the engines store it unless told otherwise"},
        {"tensor_parallel", "", "every degree that is legal"},
        {"pipeline_parallel", "", "1, and more only where the weights do not fit otherwise"},
        {"expert_parallel", "", "1, and all ranks for a model with experts on an engine that divides them"},
        {"attention_data_parallel", "",
         "1, and all ranks for a model with experts whose KV values ranks copy, on an engine that can"},
        {"context_parallel", "",
         "1, and as many ranks as copy the KV values of a model with experts or latents, on an engine that can"},
        {"hosts_per_instance", "", "1, and more only where the weights do not fit otherwise, on an engine that can"},
        {"instances_per_node", "", "as many as the GPUs of a node hold"},
        {"max_sequences", "", "the limit of the engine"},
        {"profile", "", "kernels as measured on the GPU or its next of kin, else the constants of its class"},
        {"load.active_share", "1", "all registered users at the same time"},
        {"load.peak_factor", "1", "the peak is the mean"},
        {"load.think_time", R"("0 s")", "each user sends the next request at once, the hardest case"},
        {"load.drain.ramp", R"("0 s")", "all users start together"},
        {"load.protocol.ramp", R"("1 s")", "estimated: users of the benchmark that start one after the other"},
        {"load.protocol.think_time", R"("uniform:min=1s,max=3s")",
         "the benchmark of the source documents, 1 to 3 s between a user's requests"},
        {"load.cv", "1", "as spread as Poisson arrivals"},
        {"load.diurnal.period", R"("1 d")", "a day"},
        {"load.diurnal.peak", "1.5", "estimated: half as much again at the busiest hour"},
        {"simulation.clients.waits", R"("first-token")", "an answer that has begun is read to its end"},
        {"simulation.clients.cancels", "true", "a client that goes away closes its connection"},
        {"simulation.clients.retries", "0", "who is refused or goes away does not come back"},
        {"simulation.clients.retry_delay", R"("1 s")", "estimated: the first pause of most clients' back-off"},
        {"simulation.failures.mean_down", R"("10 min")", "estimated: from an alarm to a restarted machine"},
        {"simulation.lost_requests", R"("fail")", "clients see an error when the replica of their request fails"},
        {"simulation.disaggregation.router", R"("least-outstanding")", "a request is decoded where fewest are"},
        {"simulation.disaggregation.link_of", R"("prefill")", "each replica that prefills sends on a link of its own"},
        {"spares", "0", "no node beyond those needed"},
        {"headroom", "0", "the whole capacity is used"},
        {"cost.mode", R"("own")", "nodes are bought and written off"},
        {"cost.amortization", R"("3 year")", "estimated: common use of an accelerator before it is replaced"},
        {"cost.pue", "1.4",
         "estimated: between 1.1 of large cloud sites and about 1.6, the mean of operators' surveys"},
        {"cost.tariff", R"("0.12 USD/kWh")", "estimated: between industrial tariffs of the US and of Europe"},
    };
    return all;
}

bool given(const Fields& fields, std::string_view key) {
    return fields.has(key) && !fields.is_null(key);
}

Fields object_or_empty(const Fields& fields, std::string_view key) {
    return given(fields, key) ? fields.object(key) : Fields::from_text("{}", fields.place(key));
}

Fields Assumptions::source(const Fields& fields, std::string_view path) {
    const std::string_view key = last_step(path);
    if (given(fields, key)) return fields;
    const ScenarioDefault& chosen = default_of(path);
    PLIMSOLL_ASSERT(!chosen.json.empty());
    std::string value(chosen.json);
    value.erase(std::remove(value.begin(), value.end(), '"'), value.end());
    note(std::string(path) + " = " + value + ": " + std::string(chosen.reason));
    return Fields::from_text("{\"" + std::string(key) + "\": " + std::string(chosen.json) + "}", "default");
}

bool Assumptions::given_or_free(const Fields& fields, std::string_view path) {
    if (given(fields, last_step(path))) return true;
    note(std::string(path) + ": " + std::string(default_of(path).reason));
    return false;
}

}  // namespace plimsoll
