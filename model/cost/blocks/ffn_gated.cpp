#include "model/cost/block.hpp"

namespace plimsoll {
namespace {

/// Feed-forward block with a gate: down(act(gate(x)) * up(x)), three matrices [hidden, intermediate].
class GatedFfn final : public Block {
  public:
    GatedFfn(const Fields& fields, int hidden)
        : hidden_(hidden),
          intermediate_(static_cast<int>(fields.integer("intermediate", {1, 1e7}))),
          bias_(fields.boolean_or("bias", false)) {
        fields.finish();
    }

    [[nodiscard]] std::int64_t matrix_parameters() const override { return 3 * std::int64_t{hidden_} * intermediate_; }
    [[nodiscard]] std::int64_t other_parameters() const override {
        return bias_ ? 2 * std::int64_t{intermediate_} + hidden_ : 0;
    }
    [[nodiscard]] std::int64_t matrix_parameters_per_rank(const Split& split) const override {
        return 3 * std::int64_t{hidden_} * columns(split.tensor);
    }
    [[nodiscard]] double widest_activation(const Split& split) const override { return 3.0 * columns(split.tensor); }

    void add_operators(const StepShape& shape, const Split& split, Storage storage,
                       std::vector<Operator>& operators) const override {
        const double tokens = shape.tokens(), width = columns(split.tensor), bytes = storage.activation_bytes();
        operators.push_back(
            gemm_operator("gate_up_projection", "_ffn", tokens, 2 * width, hidden_, matrix_dtype(storage.weights)));
        operators.push_back(
            elementwise_operator("activation", "_ffn", 2 * tokens * width * bytes, tokens * width * bytes));
        operators.push_back(
            gemm_operator("down_projection", "_ffn", tokens, hidden_, width, matrix_dtype(storage.weights)));
    }

  private:
    /// Columns of the fullest rank; the last one may hold fewer.
    [[nodiscard]] int columns(int tensor) const { return (intermediate_ + tensor - 1) / tensor; }

    int hidden_, intermediate_;
    bool bias_;
};

}  // namespace

void register_ffn_gated(Registry<BlockKind>& registry) {
    registry.add("ffn_gated", {.is_attention = false, .make = [](const Fields& fields, int hidden) {
                                   return std::make_unique<GatedFfn>(fields, hidden);
                               }});
}

}  // namespace plimsoll
