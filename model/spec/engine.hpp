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
    full,   ///< prompt + max_new_tokens are held from the start: no preemption
    paged,  ///< blocks are taken as the request grows
    peak    ///< the same, but nobody starts whom the promises of all could leave without: no preemption
};

/// How tokens reach experts that stand on other ranks.
enum class ExpertDispatch {
    all_gather,  ///< every rank sees all tokens, partial sums are added up
    all_to_all   ///< each token is sent to the ranks of its experts and back (DeepEP and its kin)
};

/// Ways of splitting a model that not every engine has; tensor and pipeline ranks all of them take.
struct Layouts {
    bool expert = false, attention_data = false, context = false;
    bool hosts = false;  ///< an instance may span hosts, its pipeline from one to the next
};

/// What the cache of layers that attend to a window of the last tokens keeps.
enum class KvWindows {
    whole,    ///< every layer keeps all tokens
    grouped,  ///< blocks outside the window are freed; one pool, its groups of layers filled up to equal sizes
    apart     ///< the same from pools of their own
};

/// Whose kernels run mxfp4 experts, and so how these are laid out.
enum class Mxfp4Kernels {
    plain,   ///< as in the checkpoint
    triton,  ///< the model's width is filled up to 256; buffers as needed
    marlin   ///< the same, and the expert's width to 128
};

/// Limits that an engine takes by default on GPUs with so much memory, in place of its own.
struct LimitsByMemory {
    Bytes from;                       ///< of what programs see
    std::vector<std::string> except;  ///< GPUs that keep the engine's own for all their memory
    std::optional<int> max_prefill_tokens, max_step_tokens, max_sequences, graph_batch;
    std::optional<double> memory_fraction;
};

/// A serving engine as data: its scheduling rules, limits, memory use and host costs.
struct Engine {
    std::string name;
    std::vector<std::string> aliases;
    std::string description;
    std::string assumes;  ///< "what = choice: why" of a rule that is not certain, for answers to name; empty: none
    Scheduling scheduling = Scheduling::chunked;
    std::string scheduler;                       ///< the simulator's rule for it, a name of its schedulers
    std::optional<double> waiting_served_ratio;  ///< TGI: a prefill starts when waiting >= ratio x running ...
    std::optional<int> max_waiting_tokens;       ///< ... or after this many decode steps
    int max_prefill_tokens = 0;                  ///< prompt tokens of one prefill without decodes
    int max_step_tokens = 0;                     ///< token budget of a chunked step
    int max_sequences = 0;
    std::vector<LimitsByMemory> by_memory;  ///< by rising memory
    std::optional<int> max_input_tokens;
    std::optional<int> max_total_tokens;

    KvReservation reservation = KvReservation::paged;
    std::optional<int> reserved_output_tokens;  ///< what clients ask as max_new_tokens; absent: the true length
    int block_tokens = 16;
    double watermark = 0.0;  ///< fraction of blocks kept free
    KvWindows windows = KvWindows::whole;

    Sourced<double> memory_fraction{.value = 0.9};  ///< of what programs see
    bool fraction_of_free = false;                  ///< the cache takes that share of what all else leaves of it
    Sourced<Bytes> framework_memory, workspace_memory, graph_memory, communication_memory;
    bool activations_counted = true;  ///< false: they lie in what the fraction leaves free
    double sampler_bytes = 4.0;       ///< at the peak of sampling, a sequence and word of the vocabulary
    Mxfp4Kernels mxfp4_kernels = Mxfp4Kernels::plain;
    bool expert_workspace_kept = false;  ///< the buffers of experts' products stay when the layers are done

    struct Host {
        Sourced<Seconds> per_step;                ///< serial, every step
        Sourced<Seconds> per_sequence;            ///< serial, per running sequence of a step
        Sourced<Seconds> per_prefill;             ///< serial, per exclusive prefill or step with a prompt chunk
        Sourced<Seconds> per_request;             ///< serial, per prompt
        Sourced<Seconds> front_end;               ///< of a request outside the steps: server, tokenizer, processes
        Sourced<Seconds> per_layer;               ///< launching one layer, in parallel with the GPU
        int graph_batch = 0;                      ///< decode batches up to this size need no per-layer launches
        std::optional<double> overlap_sharpness;  ///< p of LaunchOverlap; absent: the longer of launches and GPU
    } host;

    Sourced<Seconds> collective_overhead;       ///< added to each collective by eager launch and skew
    bool peer_all_reduce = false;               ///< brings one along that reads peers' memory (Node::peer_collectives)
    Sourced<double> kernel_efficiency;          ///< factor on the compute efficiency of prefill GEMM and attention
    Sourced<Bytes> score_bytes;                 ///< that unfused attention moves for a query-key pair of a head
    bool heads_read_apart = false;              ///< in decodes each query head reads its keys and values for itself
    bool half_sums = false;                     ///< its products of fp16 are summed in fp16
    std::vector<std::string> vendors;           ///< of the GPUs that it runs on; empty: any
    std::vector<std::string> kernel_libraries;  ///< whose kernels it runs, as their names in profiles begin
    std::vector<Dtype> weights;                 ///< dtypes that the engine runs
    Layouts layouts;
    ExpertDispatch expert_dispatch = ExpertDispatch::all_gather;  ///< of an engine with expert ranks
};

[[nodiscard]] Engine read_engine(const Fields& fields);

struct Gpu;

/// The engine as its defaults are on that GPU.
[[nodiscard]] Engine with_limits_of(Engine engine, const Gpu& gpu);

}  // namespace plimsoll
