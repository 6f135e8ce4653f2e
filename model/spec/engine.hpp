#pragma once
#include <optional>
#include <string>
#include <vector>

#include "model/base/sourced.hpp"
#include "model/base/units.hpp"
#include "model/spec/dtype.hpp"

namespace plimsoll {

class Fields;

enum class Scheduling {
    exclusive_prefill,  ///< a prefill stops the running decodes
    chunked,            ///< decodes and prompt chunks share one token budget a step
    static_batch        ///< a padded batch runs to the end of its longest answer before the next starts
};

enum class KvReservation {
    full,  ///< prompt + max_new_tokens are held from the start: no preemption
    paged,  ///< blocks are taken as the request grows
    peak    ///< the same, but nobody starts whom the promises of all could leave without: no preemption
};

/// A serving engine as data: its scheduling rules, limits, memory use and host costs.
struct Engine {
    std::string name;
    std::vector<std::string> aliases;
    std::string description;
    Scheduling scheduling = Scheduling::chunked;
    std::string scheduler;                       ///< the simulator's rule for it, a name of its schedulers
    std::optional<double> waiting_served_ratio;  ///< TGI: a prefill starts when waiting >= ratio x running ...
    std::optional<int> max_waiting_tokens;       ///< ... or after this many decode steps
    int max_prefill_tokens = 0;                  ///< prompt tokens of one prefill without decodes
    int max_step_tokens = 0;                     ///< token budget of a chunked step
    int max_sequences = 0;
    std::optional<int> max_input_tokens;
    std::optional<int> max_total_tokens;

    KvReservation reservation = KvReservation::paged;
    std::optional<int> reserved_output_tokens;  ///< what clients ask as max_new_tokens; absent: the true length
    int block_tokens = 16;
    double watermark = 0.0;  ///< fraction of blocks kept free

    Sourced<double> memory_fraction{.value = 0.9};  ///< of what the driver reports
    Sourced<Bytes> framework_memory, workspace_memory, graph_memory, communication_memory;

    struct Host {
        Sourced<Seconds> per_step;                ///< serial, every step
        Sourced<Seconds> per_sequence;            ///< serial, per running sequence of a step
        Sourced<Seconds> per_prefill;             ///< serial, per exclusive prefill or step with a prompt chunk
        Sourced<Seconds> per_request;             ///< serial, per prompt
        Sourced<Seconds> per_layer;               ///< launching one layer, in parallel with the GPU
        int graph_batch = 0;                      ///< decode batches up to this size need no per-layer launches
        std::optional<double> overlap_sharpness;  ///< p of LaunchOverlap; absent: the longer of launches and GPU
    } host;

    Sourced<Seconds> collective_overhead;       ///< added to each collective by eager launch and skew
    Sourced<double> kernel_efficiency;          ///< factor on the compute efficiency of prefill GEMM and attention
    std::vector<std::string> kernel_libraries;  ///< whose kernels it runs, as their names in profiles begin
    std::vector<Dtype> weights;                 ///< dtypes that the engine runs
};

[[nodiscard]] Engine read_engine(const Fields& fields);

}  // namespace plimsoll
