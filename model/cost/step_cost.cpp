#include "model/cost/step_cost.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "model/base/normal.hpp"

namespace plimsoll {
namespace {

/// Whether the time follows more than a count, so that no table holds it.
bool stands_alone(const Operator& op) {
    return op.follows == Follows::own_prompts || op.follows == Follows::own_context;
}

void add(const StepParts& more, double times, StepParts& parts) {
    for (Seconds StepParts::*part :
         {&StepParts::compute, &StepParts::weights_read, &StepParts::kv_read, &StepParts::communication,
          &StepParts::launch, &StepParts::host_serial, &StepParts::host_launches})
        parts.*part += more.*part * times;
}

}  // namespace

/// The draft and its times, kept alive by the copies of a cost.
struct StepCost::Drafting {
    Drafting(std::shared_ptr<const Draft> drafted, const TimeFactors& factors)
        : draft(std::move(drafted)), cost(draft->architecture(), draft->deployment(), factors) {}
    Drafting(const Drafting& other, const TimeFactors& factors)
        : draft(other.draft), cost(other.cost, draft->deployment(), factors) {}
    std::shared_ptr<const Draft> draft;
    StepCost cost;
};

StepCost::StepCost(const Architecture& architecture, const Deployment& deployment, const TimeFactors& factors,
                   KernelTimes kernels)
    : architecture_(&architecture),
      split_(split_of(deployment)),
      storage_{deployment.weights, deployment.kv},
      kernels_(std::move(kernels)),
      overlap_(deployment.engine->host.overlap_sharpness),
      stages_(deployment.pipeline_parallel),
      batches_(deployment.engine->scheduling == Scheduling::static_batch ? 1 : stages_),
      batch_tokens_(batch_tokens(*deployment.engine)),
      chance_(expected_largest_normal(batches_) / std::sqrt(batches_)),
      graph_batch_(deployment.engine->host.graph_batch),
      chunked_(deployment.engine->scheduling == Scheduling::chunked) {
    const Engine::Host& host = deployment.engine->host;
    const double slow = factors[Cause::host_speed] / deployment.node->host_speed.value;
    per_step_ = host.per_step.value * (factors[Cause::host_step] * slow);
    per_sequence_ = host.per_sequence.value * (factors[Cause::host_sequence] * slow);
    per_prefill_ = host.per_prefill.value * (factors[Cause::host_prefill] * slow);
    per_request_ = host.per_request.value * (factors[Cause::host_request] * slow);
    front_end_ = host.front_end.value * (factors[Cause::host_front_end] * slow);
    launches_ = host.per_layer.value * (architecture.layers_per_stage(split_) * factors[Cause::host_layer] * slow);
    if (deployment.speculation && deployment.speculation->tokens > 0) {
        queries_ = deployment.speculation->tokens + 1;
        advance_ = deployment.speculation->expected_tokens();
    }
}

StepCost::StepCost(const Architecture& architecture, const Deployment& deployment, const TimeFactors& factors)
    : StepCost(architecture, deployment, factors, KernelTimes(deployment, factors)) {
    if (auto draft = draft_of(deployment)) draft_ = std::make_shared<const Drafting>(std::move(draft), factors);
    tabulated_ = std::make_shared<const std::vector<Tabulated>>(tabulated());
    fold();
}

StepCost::StepCost(const StepCost& other, const Deployment& deployment, const TimeFactors& factors)
    : StepCost(*other.architecture_, deployment, factors, other.kernels_.with(factors)) {
    if (other.draft_ != nullptr) draft_ = std::make_shared<const Drafting>(*other.draft_, factors);
    tabulated_ = other.tabulated_;
    fold();
}

std::array<double, 2> StepCost::logarithms(const Deployment& deployment, const TimeFactors& factors,
                                           const std::array<StepShape, 2>& shapes) const {
    const StepCost cost(*architecture_, deployment, factors, kernels_.with(factors));
    std::array<double, 2> result{};
    std::vector<Operator> list;
    for (std::size_t i = 0; i < shapes.size(); ++i) {
        list.clear();
        const StepShape shape = cost.checked(shapes[i]);
        cost.operators(shape, list);
        Seconds gpu;
        for (const Operator& op : list) gpu += cost.kernels_.time(op) * (op.count * cost.stages_);
        const Seconds step = cost.overlap_.time(gpu, cost.host_launches(shape)) + cost.host_serial(shape);
        result[i] = std::log(step.value());
    }
    return result;
}

std::vector<StepCost::Tabulated> StepCost::tabulated() const {
    std::vector<Operator> operators;
    std::vector<Tabulated> result;
    const auto add = [&](std::size_t i, double sequences, bool all, bool own) {
        step_operators(*architecture_, {.decode_sequences = sequences, .context_tokens = sequences}, split_, storage_,
                       operators);
        if (i == 0) result.reserve(result.size() + by_tokens_.points() * operators.size());
        for (const Operator& op : operators)
            if (!stands_alone(op) && (op.follows == Follows::tokens ? all : own))
                result.push_back({op.follows, i, op.count, kernels_.nominal(op)});
    };
    const int groups = split_.attention_data;
    for (std::size_t i = 0; i < by_tokens_.points(); ++i) {
        const double x = by_tokens_.at(i);
        add(i, x, true, groups == 1);
        if (groups > 1) add(i, x * groups, false, true);  // so many in all that the group has x
    }
    return result;
}

void StepCost::fold() {
    for (const Tabulated& entry : *tabulated_)
        table_of(entry.follows)[entry.point] += entry.count * kernels_.drawn(entry.kernel).total().value();
    for (std::size_t group = 0; group < architecture_->groups(); ++group) decode_.push_back(decode_line(group));
}

OctaveTable& StepCost::table_of(Follows follows) {
    switch (follows) {
        case Follows::own_rows:
            return by_own_rows_;
        case Follows::own_decodes:
            return by_own_decodes_;
        case Follows::own_tokens:
            return split_.attention_data > 1 ? by_own_tokens_ : by_tokens_;
        default:
            return by_tokens_;
    }
}

/// Three evaluations give the coefficients, within the window where there is one.
StepCost::DecodeLine StepCost::decode_line(std::size_t group) const {
    DecodeLine line;
    if (const auto window = architecture_->window(group)) line.window = *window;
    const auto time = [&](double sequences, double context) {
        const Operator op = architecture_->decode_attention(
            group, checked({.decode_sequences = sequences, .context_tokens = context}), split_, storage_);
        return op.count * kernels_.time(op).value();
    };
    const double far = std::min(1048576.0, line.window / 4.0);
    const double here = time(1.0, far);
    line.per_context = (time(1.0, 2.0 * far) - here) / far;
    line.per_sequence = time(2.0, far) - here;
    line.launch = here - line.per_sequence - line.per_context * far;
    return line;
}

/// The expected largest part of k prompts that fall into s batches: all of it for one prompt, (1 + 1 / s) / 2 for two,
/// linear between; 1 / s + E[largest of s normal numbers] / sqrt(s k) for more (the deviation of a part, as of
/// fullest_rank). Prompts of different lengths count as the fewer of one length that vary as much. No batch has more
/// than its token budget: the rest of a long prompt is in the next one.
double StepCost::fullest_prompts(const StepShape& shape) const {
    if (batches_ == 1 || shape.prefill_tokens <= 0) return 1.0;
    const double prompts = shape.even_prompts > 0 ? shape.even_prompts : shape.prefill_sequences;
    const double even = 1.0 / batches_, of_two = (1.0 + even) / 2.0;
    const double by_chance = prompts <= 2.0 ? 1.0 + (of_two - 1.0) * std::max(0.0, prompts - 1.0)
                                            : std::min(of_two, even + chance_ / std::sqrt(prompts));
    const double decodes = shape.decode_tokens() * fullest_share(shape.decode_sequences, batches_);
    return std::max(even, std::min(by_chance, (batch_tokens_ - decodes) / shape.prefill_tokens));
}

StepShape StepCost::per_stage(const StepShape& shape) const {
    const double share = fullest_share(shape.decode_sequences, batches_), prompts = fullest_prompts(shape);
    return {.prefill_sequences = std::max(std::min(1.0, shape.prefill_sequences), shape.prefill_sequences * prompts),
            .prefill_tokens = shape.prefill_tokens * prompts,
            .attention_pairs = shape.attention_pairs * prompts,
            .decode_sequences = shape.decode_sequences * share,
            .context_tokens = shape.context_tokens * share,
            .queries_per_decode = shape.queries_per_decode};
}

Seconds StepCost::prefill_attention(const StepShape& shape) const {
    double time = 0;
    const auto add = [&](const Operator& op) { time += op.count * kernels_.time(op).value(); };
    if (shape.prefill_tokens <= 0) return Seconds(0);
    const StepShape own = part_of(per_stage(checked(shape)), split_.attention_data);
    for (std::size_t group = 0; group < architecture_->groups(); ++group) {
        add(architecture_->prefill_attention(group, own, split_, storage_));
        if (split_.context > 1) add(architecture_->gathered_context(group, own, split_, storage_));
    }
    return Seconds(time);
}

Seconds StepCost::stage_gpu(const StepShape& shape, Seconds prefill_attention) const {
    const bool groups = split_.attention_data > 1;
    const StepShape own = groups ? part_of(shape, split_.attention_data) : shape;
    double time = by_tokens_(shape.tokens()) + by_own_rows_(own.rows());
    if (groups) time += by_own_tokens_(own.tokens());
    if (split_.context > 1) time += by_own_decodes_(own.decode_tokens());
    if (own.decode_sequences > 0)
        for (const DecodeLine& line : decode_)
            time += line.launch + line.per_sequence * own.decode_sequences +
                    line.per_context * std::min(own.context_tokens, line.window * own.decode_sequences);
    return Seconds(time) + prefill_attention;
}

Seconds StepCost::host_serial(const StepShape& shape) const {
    const double sequences = shape.prefill_sequences + shape.decode_sequences;
    Seconds time = per_step_ + per_sequence_ * sequences + per_request_ * shape.prefill_sequences;
    if (shape.prefill_tokens > 0) time += per_prefill_;
    return time;
}

Seconds StepCost::host_launches(const StepShape& shape) const {
    const bool graph = per_stage(shape).tokens() <= graph_batch_ && (chunked_ || shape.prefill_tokens <= 0);
    return graph ? Seconds(0) : launches_ * static_cast<double>(stages_);
}

Seconds StepCost::step(const StepShape& shape) const {
    return step(shape, prefill_attention(shape));
}

StepShape StepCost::checked(StepShape shape) const {
    shape.queries_per_decode = queries_;
    return shape;
}

Seconds StepCost::pass_without_host(const StepShape& shape, Seconds prefill_attention) const {
    const Seconds gpu = stage_gpu(per_stage(shape), prefill_attention) * static_cast<double>(stages_);
    return overlap_.time(gpu, host_launches(shape));
}

Seconds StepCost::pass(const StepShape& shape, Seconds prefill_attention) const {
    return pass_without_host(shape, prefill_attention) + host_serial(shape);
}

Seconds StepCost::drafting(const StepShape& shape) const {
    const StepCost& cost = draft_->cost;
    const StepShape prompts = prompts_of(shape), decodes = decodes_of(shape);
    Seconds time;
    if (prompts.prefill_tokens > 0) time += cost.pass_without_host(prompts, cost.prefill_attention(prompts));
    if (decodes.decode_sequences > 0) time += cost.pass_without_host(decodes, Seconds(0)) * (queries_ - 1.0);
    return time;
}

Seconds StepCost::step(const StepShape& shape, Seconds prefill_attention) const {
    if (draft_ == nullptr) return pass(shape, prefill_attention);
    const Seconds whole = pass(checked(shape), prefill_attention) + drafting(shape);
    if (shape.decode_sequences <= 0) return whole;
    // The decodes alone would take so long for all the tokens that they gain; prompts add the rest in full.
    const StepShape decodes = decodes_of(shape);
    return whole - (pass(checked(decodes), Seconds(0)) + drafting(decodes)) * (1.0 - 1.0 / advance_);
}

double StepCost::next_breakpoint(double sequences, double context_tokens) const {
    const StepShape shape{.decode_sequences = sequences, .context_tokens = context_tokens};
    const double own = pass_breakpoint(checked(shape));
    return draft_ == nullptr ? own : std::min(own, draft_->cost.pass_breakpoint(shape));
}

double StepCost::pass_breakpoint(const StepShape& shape) const {
    const double sequences = shape.decode_sequences, context_tokens = shape.context_tokens;
    const Seconds gpu = stage_gpu(per_stage(shape), Seconds(0)) * static_cast<double>(stages_);
    const Seconds launches = host_launches(shape);
    double slope = 0, edge = std::numeric_limits<double>::infinity();
    for (const DecodeLine& line : decode_) {
        if (context_tokens >= line.window * sequences) continue;
        slope += line.per_context;
        edge = std::min(edge, line.window * sequences);
    }
    if (slope <= 0) return edge;
    const double in_stage = fullest_share(sequences, batches_);
    slope *= stages_ * in_stage * fullest_share(sequences * in_stage, split_.attention_data);
    for (const double ratio : overlap_.knots()) {
        const double turn = context_tokens + (launches * ratio - gpu).value() / slope;
        // A knot that was asked for before lies here but for the rounding.
        if (turn > context_tokens * (1.0 + 1e-12)) return std::min(edge, turn);
    }
    return edge;
}

void StepCost::operators(const StepShape& shape, std::vector<Operator>& operators) const {
    step_operators(*architecture_, per_stage(shape), split_, storage_, operators);
}

StepParts StepCost::pass_parts(const StepShape& shape) const {
    std::vector<Operator> list;
    operators(shape, list);
    StepParts parts;
    for (const Operator& op : list) {
        const Seconds time = kernels_.time(op) * (op.count * stages_);
        switch (kernels_.bound(op)) {
            case Bound::compute:
                parts.compute += time;
                break;
            case Bound::communication:
                parts.communication += time;
                break;
            case Bound::launch:
                parts.launch += time;
                break;
            case Bound::memory:
                (op.kind == OperatorKind::decode_attention ? parts.kv_read : parts.weights_read) += time;
                break;
        }
    }
    parts.host_serial = host_serial(shape);
    parts.host_launches = host_launches(shape);
    return parts;
}

StepParts StepCost::parts(const StepShape& shape) const {
    StepParts parts = pass_parts(checked(shape));
    if (draft_ != nullptr) {
        const StepShape prompts = prompts_of(shape), decodes = decodes_of(shape);
        const double gained = 1.0 - 1.0 / advance_, drafted = queries_ - 1.0;
        if (prompts.prefill_tokens > 0) add(draft_->cost.pass_parts(prompts), 1.0, parts);
        if (decodes.decode_sequences > 0) {
            add(pass_parts(checked(decodes)), -gained, parts);
            StepParts of_draft = draft_->cost.pass_parts(decodes);
            of_draft.host_serial = Seconds(0);
            add(of_draft, drafted * (1.0 - gained), parts);
        }
    }
    parts.total = step(shape);
    return parts;
}

}  // namespace plimsoll
