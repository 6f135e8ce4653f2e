#include "model/cost/kernel_choice.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <tuple>

#include "model/base/error.hpp"
#include "model/cost/collective.hpp"
#include "model/cost/exchange.hpp"
#include "model/cost/kernel_form.hpp"
#include "model/cost/kernel_memo.hpp"

namespace plimsoll {
namespace {

/// What a kernel has to be measured in to stand for an operator.
struct Types {
    std::string_view kernel;
    std::vector<std::string> dtypes;     ///< the nearest first
    std::vector<std::string> kv_dtypes;  ///< empty: does not matter
    /// Libraries differ by 5 to 12 % in products and by 27 to 39 % in attention on one A100: there the class's
    /// constants say as much as a library that the engine does not call.
    bool own_library = false;
    /// Whose measurements tell; absent: of its kin, or of whom the user names.
    std::function<bool(const KernelModel&, const Gpu&, Kinship)> takes = nullptr;
};

/// 16-bit formats share their rates on every GPU that has both.
std::vector<std::string> alike(Dtype dtype) {
    if (dtype == Dtype::fp16) return {"fp16", "bf16"};
    if (dtype == Dtype::bf16) return {"bf16", "fp16"};
    // As tables of measurements call them.
    if (dtype == Dtype::awq_int4 || dtype == Dtype::gptq_int4) return {std::string(to_string(dtype)), "int4_wo"};
    if (dtype == Dtype::mxfp4) return {std::string(to_string(dtype)), "w4a16_mxfp4"};
    if (dtype == Dtype::fp8_block) return {std::string(to_string(dtype)), "fp8_block"};
    return {std::string(to_string(dtype))};
}

std::size_t rank_in(const std::vector<std::string>& names, const std::string& name) {
    return static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
}

/// The place of the first of the engine's libraries that the name begins with.
std::size_t library_rank(const Engine& engine, const std::string& library) {
    const auto& own = engine.kernel_libraries;
    return static_cast<std::size_t>(
        std::find_if(own.begin(), own.end(), [&](const std::string& prefix) { return library.starts_with(prefix); }) -
        own.begin());
}

Kinship kinship_of(const Gpu& measured, const Gpu& asked) {
    if (&measured == &asked) return Kinship::same_gpu;
    return measured.efficiency_class == asked.efficiency_class ? Kinship::same_class : Kinship::stranger;
}

void check_form(const KernelModel& model, const Profile& profile) {
    const std::string place = "profile " + profile.name;
    const KernelForm& form = kernel_forms().at(model.form, "kernel form", place);
    const bool same =
        std::equal(model.constants.begin(), model.constants.end(), form.constants.begin(), form.constants.end(),
                   [](const FittedConstant& fitted, const FormConstant& known) { return fitted.name == known.name; });
    if (same && form.kernel == model.kernel) return;
    std::string known;
    for (const FormConstant& constant : form.constants)
        known += (known.empty() ? "" : ", ") + std::string(constant.name);
    throw InputError(place, "the form " + in_quotes(model.form) + " of " + std::string(form.kernel) +
                                " has the constants " + known + ", which are not those of this " + model.kernel);
}

/// A library's kernels on one GPU, and how well they suit.
struct Offer {
    MeasuredKernel kernel;
    std::string library, dtype, kv_dtype;
    const Profile* profile = nullptr;
    std::size_t points = 0;

    [[nodiscard]] bool same_as(const KernelModel& model, const Profile& other) const {
        return profile == &other && library == model.library && dtype == model.dtype && kv_dtype == model.kv_dtype &&
               kernel.models.front()->topology == model.topology;
    }
};

bool is_here(const Offer& offer) {
    return offer.kernel.models.front()->origin == Origin::measured_here;
}

std::vector<Offer> offers(const Deployment& d, Catalog& catalog, const ProfileChoice& choice, const Types& types) {
    std::vector<Offer> result;
    for (const std::string& name : catalog.profiles.names()) {
        const Profile& profile = catalog.profiles.at(name, "profiles");
        if (choice.only && choice.only != &profile) continue;
        const Gpu& gpu = catalog.gpus.at(profile.gpu, name);
        const Kinship kinship = kinship_of(gpu, *d.gpu);
        for (const KernelModel& model : profile.kernels) {
            const bool suits = model.kernel == types.kernel && rank_in(types.dtypes, model.dtype) < types.dtypes.size();
            const bool cache =
                types.kv_dtypes.empty() || rank_in(types.kv_dtypes, model.kv_dtype) < types.kv_dtypes.size();
            const bool own = library_rank(*d.engine, model.library) < d.engine->kernel_libraries.size();
            const bool telling = own || !types.own_library || choice.only || model.origin == Origin::measured_here;
            if (!suits || !cache || !telling) continue;
            const bool kin = kinship != Kinship::stranger || choice.only;
            if (types.takes ? !types.takes(model, gpu, kinship) : !kin) continue;
            check_form(model, profile);
            const auto known = std::find_if(result.begin(), result.end(),
                                            [&](const Offer& offer) { return offer.same_as(model, profile); });
            Offer& offer = known != result.end() ? *known : result.emplace_back();
            offer.kernel.models.push_back(&model);
            offer.kernel.gpu = &gpu;
            offer.kernel.kinship = kinship;
            offer.kernel.own_library = own;
            offer.library = model.library, offer.dtype = model.dtype, offer.kv_dtype = model.kv_dtype;
            offer.profile = &profile;
            offer.points += model.points;
        }
    }
    return result;
}

MeasuredKernel best_offer(const Deployment& d, Catalog& catalog, const ProfileChoice& choice, const Types& types) {
    std::vector<Offer> all = offers(d, catalog, choice, types);
    const auto order = [&](const Offer& offer) {
        return std::tuple(offer.kernel.kinship, !is_here(offer), library_rank(*d.engine, offer.library),
                          rank_in(types.dtypes, offer.dtype), rank_in(types.kv_dtypes, offer.kv_dtype),
                          -static_cast<double>(offer.points));
    };
    const auto best =
        std::min_element(all.begin(), all.end(), [&](const Offer& a, const Offer& b) { return order(a) < order(b); });
    return best == all.end() ? MeasuredKernel{} : best->kernel;
}

const MeasuredKernel* measured_of(const Deployment& d, OperatorKind kind) {
    if (!d.measured) return nullptr;
    const MeasuredKernel* kernel = nullptr;
    if (kind == OperatorKind::gemm) kernel = &d.measured->gemm;
    if (kind == OperatorKind::prefill_attention) kernel = &d.measured->prefill_attention;
    if (kind == OperatorKind::decode_attention) kernel = &d.measured->decode_attention;
    if (kind == OperatorKind::elementwise) kernel = &d.measured->elementwise;
    return kernel && kernel->known() ? kernel : nullptr;
}

const MeasuredKernel* measured_experts(const Deployment& d) {
    return d.measured && d.measured->experts.known() ? &d.measured->experts : nullptr;
}

}  // namespace

const MeasuredKernel* measured_for(const Deployment& d, const Operator& op) {
    return op.experts > 0 ? measured_experts(d) : measured_of(d, op.kind);
}

namespace {

Origin class_origin(const EfficiencyClass& c, OperatorKind kind) {
    switch (kind) {
        case OperatorKind::gemm:
            return weakest(weakest(c.gemm.compute_efficiency.origin, c.gemm.memory_efficiency.origin),
                           c.gemm.launch.origin);
        case OperatorKind::prefill_attention:
            return weakest(c.prefill_attention.compute_efficiency.origin, c.prefill_attention.memory_efficiency.origin);
        case OperatorKind::decode_attention:
            return weakest(c.decode_attention.memory_efficiency.origin, c.decode_attention.launch.origin);
        default:
            return weakest(c.elementwise.memory_efficiency.origin, c.elementwise.launch.origin);
    }
}

/// Another GPU's constants are a guess about this one.
Origin model_origin(const MeasuredKernel& kernel) {
    return kernel.kinship == Kinship::same_gpu ? kernel.models.front()->origin : Origin::estimated;
}

std::string class_source(const Deployment& d, Origin origin) {
    return "class " + d.efficiency->name + ", " + std::string(to_string(origin));
}

std::string model_source(const MeasuredKernel& kernel) {
    const KernelModel& model = *kernel.models.front();
    const std::string borrowed = kernel.kinship == Kinship::same_gpu ? "" : ", borrowed";
    return model.library + " on " + kernel.gpu->name + borrowed + ", " + std::string(to_string(model.origin)) + ": " +
           model.source;
}

/// Links have no peaks to scale by, so that only GPUs joined alike tell anything. A measurement made here that does not
/// say how they are joined speaks of this machine.
MeasuredKernel best_collective(const Deployment& d, Catalog& catalog, const ProfileChoice& choice,
                               std::string_view kernel) {
    const auto joined_alike = [&](const KernelModel& model, const Gpu&, Kinship kinship) {
        const bool here = kinship == Kinship::same_gpu && model.origin == Origin::measured_here;
        return kinship != Kinship::stranger && (joined_as(*d.node, model.topology) || (here && model.topology.empty()));
    };
    return best_offer(d, catalog, choice, {kernel, alike(Dtype::fp16), {}, false, joined_alike});
}

/// Two grouped products by the constants of single ones miss by more than a transfer between GPUs does, so that any of
/// the maker's will do, and the 16-bit kernels for types that nobody measured.
MeasuredKernel best_experts(const Deployment& d, Catalog& catalog, const ProfileChoice& choice) {
    const auto maker = [&](const KernelModel&, const Gpu& gpu, Kinship) { return gpu.vendor == d.gpu->vendor; };
    const MeasuredKernel own = best_offer(d, catalog, choice, {"moe", alike(d.weights), {}, false, maker});
    return own.known() ? own : best_offer(d, catalog, choice, {"moe", alike(Dtype::fp16), {}, false, maker});
}

}  // namespace

void set_kernels(Deployment& d, Catalog& catalog, const ProfileChoice& choice) {
    d.efficiency = &catalog.classes.at(d.gpu->efficiency_class, d.gpu->name);
    d.measured = nullptr;
    if (!choice.any) return;
    std::string key = d.gpu->name + '/' + d.engine->name + '/' + std::string(to_string(d.weights)) + '/' +
                      std::string(to_string(d.kv)) + '/' + (choice.only ? choice.only->name : "");
    for (const std::string& library : d.engine->kernel_libraries) key += '/' + library;
    key +=
        '/' + std::to_string(static_cast<int>(d.node->nvlink)) + std::to_string(d.node->gpus) + d.node->pcie_link_name;
    std::unique_ptr<MeasuredKernels>& slot = catalog.measured_kernels(key);
    if (!slot) {
        const std::vector<std::string> kv = alike(d.kv);
        slot = std::make_unique<MeasuredKernels>();
        slot->gemm = best_offer(d, catalog, choice, {"gemm", alike(d.weights), {}});
        // Attention multiplies what the cache holds in 16 bits, whatever the weights are.
        const std::vector<std::string> attention = alike(Dtype::fp16);
        slot->prefill_attention = best_offer(d, catalog, choice, {"attention_prefill", attention, kv, true});
        slot->decode_attention = best_offer(d, catalog, choice, {"attention_decode", attention, kv, true});
        slot->elementwise =
            best_offer(d, catalog, choice, {"elementwise", alike(activation_dtype(d.weights)), {}, true});
        slot->experts = best_experts(d, catalog, choice);
        slot->all_reduce = best_collective(d, catalog, choice, "all_reduce");
        slot->all_to_all = best_collective(d, catalog, choice, "all_to_all");
        slot->memo = std::make_shared<KernelMemo>();
    }
    d.measured = slot.get();
}

Origin kernel_origin(const Deployment& d, OperatorKind kind) {
    const MeasuredKernel* kernel = measured_of(d, kind);
    return kernel ? model_origin(*kernel) : class_origin(*d.efficiency, kind);
}

std::string kernel_source(const Deployment& d, OperatorKind kind) {
    const MeasuredKernel* kernel = measured_of(d, kind);
    return kernel ? model_source(*kernel) : class_source(d, class_origin(*d.efficiency, kind));
}

Origin experts_origin(const Deployment& d) {
    const MeasuredKernel* kernel = measured_experts(d);
    return kernel ? model_origin(*kernel) : Origin::estimated;
}

std::string experts_source(const Deployment& d) {
    const MeasuredKernel* kernel = measured_experts(d);
    return kernel ? model_source(*kernel) : class_source(d, Origin::estimated);
}

CollectiveBasis collective_basis(const Deployment& d) {
    return collective_basis(*d.node, d.tensor_parallel, d.measured ? &d.measured->all_reduce : nullptr);
}

std::string collective_source(const Deployment& d) {
    const CollectiveBasis basis = collective_basis(d);
    if (basis.measured) return model_source(*basis.measured);
    const std::string origin(to_string(basis.origin)), node = "node " + d.node->name + ", ";
    if (!basis.curve) return "links of " + node + origin;
    const Origin bandwidth = basis.curve->bandwidth_origin;
    const bool one = bandwidth == basis.origin;
    return basis.curve->library + " on " + node +
           (one ? origin : "bandwidth " + std::string(to_string(bandwidth)) + ", latency " + origin);
}

std::string exchange_source(const Deployment& d) {
    const MeasuredKernel* basis =
        exchange_basis(*d.node, d.expert_parallel, d.measured ? &d.measured->all_to_all : nullptr);
    return basis ? model_source(*basis) : "links of node " + d.node->name + ", estimated";
}

}  // namespace plimsoll
