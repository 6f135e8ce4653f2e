#include <algorithm>

#include "model/cost/block.hpp"
#include "model/cost/routing.hpp"

namespace plimsoll {
namespace {

/// Mixture of experts: a router sends each token to `top_k` gated FFNs, and through `shared` ones that all tokens pass.
/// A step reads the experts that its tokens reach, so that a small batch reads few and a large one all. Tensor ranks
/// hold a slice of every expert, expert ranks whole experts or slices of some; the router works on every rank.
class MixtureFfn final : public Block {
  public:
    MixtureFfn(const Fields& fields, int hidden)
        : hidden_(hidden),
          intermediate_(static_cast<int>(fields.integer("intermediate", {1, 1e7}))),
          shared_(static_cast<int>(fields.integer_or("shared_intermediate", 0, {0, 1e7}))),
          shared_gate_(fields.boolean_or("shared_gate", false)),
          gate_bias_(fields.boolean_or("gate_bias", false)),
          bias_(fields.boolean_or("bias", false)) {
        routing_.experts = static_cast<int>(fields.integer("experts", {1, 1e5}));
        routing_.top_k = static_cast<int>(fields.integer("top_k", {1, 1e5}));
        if (routing_.top_k > routing_.experts) fields.fail("top_k", "more than there are experts");
        routing_.groups = static_cast<int>(fields.integer_or("expert_groups", 1, {1, 1e5}));
        routing_.reached_groups = static_cast<int>(fields.integer_or("reached_groups", routing_.groups, {1, 1e5}));
        if (routing_.experts % routing_.groups != 0) fields.fail("expert_groups", "must divide 'experts'");
        if (routing_.reached_groups > routing_.groups) fields.fail("reached_groups", "more than there are groups");
        if (routing_.reached_groups * (routing_.experts / routing_.groups) < routing_.top_k)
            fields.fail("reached_groups", "have fewer experts than 'top_k'");
        if (fields.has("routing_skew")) routing_.skew = fields.number("routing_skew", {0, 10});
        probabilities_ = expert_probabilities(routing_);
        fields.finish();
    }

    [[nodiscard]] std::int64_t matrix_parameters() const override { return matrix_parameters_per_rank({}); }
    [[nodiscard]] std::int64_t other_parameters() const override {
        const std::int64_t experts = routing_.experts;
        return experts * hidden_ + (gate_bias_ ? experts : 0) + (shared_gate_ ? hidden_ : 0) +
               (bias_ ? experts + experts * (2 * std::int64_t{intermediate_} + hidden_) : 0);
    }
    [[nodiscard]] std::int64_t expert_parameters_per_rank(const Split& split) const override {
        return experts_here(split) * 3 * std::int64_t{hidden_} * columns(intermediate_, split.tensor / split.expert);
    }
    [[nodiscard]] double filled_expert_parameters(const Split& split, int hidden_multiple,
                                                  int width_multiple) const override {
        const auto filled = [](int size, int multiple) { return (size + multiple - 1) / multiple * multiple; };
        const int width = columns(intermediate_, split.tensor / split.expert);
        return 3.0 * static_cast<double>(experts_here(split)) * filled(hidden_, hidden_multiple) *
               filled(width, width_multiple);
    }
    [[nodiscard]] std::int64_t matrix_parameters_per_rank(const Split& split) const override {
        return expert_parameters_per_rank(split) + 3 * std::int64_t{hidden_} * shared_columns(split);
    }
    [[nodiscard]] double received_copies(double tokens, const Split& split) const override {
        const FullestRank fullest = fullest_rank(routing_, probabilities_, tokens, split.expert);
        const double from_others = (split.expert - 1.0) / split.expert;
        return own_tokens(tokens, split) * expected_ranks(routing_, split.expert) * from_others * fullest.imbalance;
    }
    [[nodiscard]] std::int64_t active_parameters() const override {
        return 3 * std::int64_t{hidden_} * (std::int64_t{routing_.top_k} * intermediate_ + shared_) +
               std::int64_t{routing_.experts} * hidden_ + (shared_gate_ ? hidden_ : 0) +
               (gate_bias_ ? routing_.experts : 0) +
               (bias_ ? routing_.experts + routing_.top_k * (2 * std::int64_t{intermediate_} + hidden_) : 0);
    }
    [[nodiscard]] double widest_activation(const Split& split) const override {
        return 3.0 * (routing_.top_k * columns(intermediate_, split.tensor) + columns(shared_, split.tensor));
    }
    /// Gate and up or, in the same place, the outputs; and what lies between.
    [[nodiscard]] double expert_workspace(const Split& split) const override {
        const double width = columns(intermediate_, split.tensor);
        return routing_.top_k * (std::max(2.0 * width, 1.0 * hidden_) + width);
    }
    [[nodiscard]] std::optional<std::string> refusal(const Split& split) const override {
        if (routing_.experts % split.expert == 0) return std::nullopt;
        return std::to_string(split.expert) + " ranks do not divide " + std::to_string(routing_.experts) + " experts";
    }

    void add_operators(const StepShape& shape, const Split& split, Storage storage,
                       std::vector<Operator>& operators) const override {
        const double tokens = own_tokens(shape.tokens(), split), bytes = storage.activation_bytes();
        operators.push_back(
            gemm_operator("router", "_ffn", tokens, routing_.experts, hidden_, activation_dtype(storage.weights)));
        operators.back().replicated = !split.dispatches();
        add_experts(shape.tokens(), split, storage, operators);
        if (shared_ > 0) {
            const double width = shared_columns(split);
            const Dtype weights = matrix_dtype(storage.weights);
            operators.push_back(gemm_operator("shared_gate_up", "_ffn", tokens, 2 * width, hidden_, weights));
            operators.push_back(
                elementwise_operator("shared_activation", "_ffn", 2 * tokens * width * bytes, tokens * width * bytes));
            operators.push_back(gemm_operator("shared_down", "_ffn", tokens, hidden_, width, weights));
        }
    }

  private:
    [[nodiscard]] static int columns(int whole, int ranks) { return (whole + ranks - 1) / ranks; }
    [[nodiscard]] std::int64_t experts_here(const Split& split) const { return routing_.experts / split.expert; }
    /// Tokens that a rank routes, and passes through the shared experts: where tokens are sent to their experts each
    /// rank starts from a share of them, otherwise it has all.
    [[nodiscard]] static double own_tokens(double tokens, const Split& split) {
        return split.dispatches() ? tokens * fullest_share(tokens, split.tensor) : tokens;
    }
    /// A rank that starts from tokens of its own needs the shared experts whole.
    [[nodiscard]] int shared_columns(const Split& split) const {
        return split.dispatches() ? shared_ : columns(shared_, split.tensor);
    }

    /// The products of the reached experts as one kernel each: rows and weights of all of them, the mean of them as its
    /// shape, on the fullest of the expert ranks.
    void add_experts(double tokens, const Split& split, Storage storage, std::vector<Operator>& operators) const {
        const FullestRank fullest = fullest_rank(routing_, probabilities_, tokens, split.expert);
        const double reached = fullest.experts, rows = fullest.rows;
        const double width = columns(intermediate_, split.tensor / split.expert), bytes = storage.activation_bytes();
        // Who is sent to the ranks of their experts is there alone; otherwise every rank has all tokens.
        const double here = split.dispatches()
                                ? tokens * expected_ranks(routing_, split.expert) / split.expert * fullest.imbalance
                                : tokens;
        ExpertFfn ffn{.width = width,
                      .hidden = static_cast<double>(hidden_),
                      .tokens = here,
                      .foreign = split.dispatches() ? 0.0 : std::max(0.0, tokens * routing_.top_k - rows),
                      .held = static_cast<double>(experts_here(split))};
        ffn.weights = Bytes(reached * ffn.weights_of_one() * bytes_per_value(storage.weights));
        const auto grouped = [&](std::string_view name, double n, double k) {
            Operator op = gemm_operator(name, "_ffn", rows, n, k, storage.weights);
            op.work.bytes_read += Bytes((reached - 1.0) * n * k * bytes_per_value(storage.weights));
            op.m = rows / reached;
            op.experts = reached;
            op.imbalance = fullest.imbalance;
            op.ffn = ffn;
            operators.push_back(op);
        };
        const auto between = [&](std::string_view name, double read, double written) {
            operators.push_back(elementwise_operator(name, "_ffn", read, written));
            operators.back().experts = reached;
        };
        const double permuted = rows * hidden_ * bytes, inner = rows * width * bytes;
        between("dispatch", permuted, permuted);
        grouped("expert_gate_up", 2 * width, hidden_);
        between("expert_activation", 2 * inner, inner);
        grouped("expert_down", hidden_, width);
        between("combine", permuted, permuted / routing_.top_k);
    }

    int hidden_, intermediate_;
    int shared_;  ///< width of the shared experts together; 0: none
    bool shared_gate_, gate_bias_, bias_;
    Routing routing_;
    std::vector<double> probabilities_;  ///< [experts]
};

}  // namespace

void register_ffn_moe(Registry<BlockKind>& registry) {
    registry.add("ffn_moe", {.is_attention = false, .make = [](const Fields& fields, int hidden) {
                                 return std::make_unique<MixtureFfn>(fields, hidden);
                             }});
}

}  // namespace plimsoll
