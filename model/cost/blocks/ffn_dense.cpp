#include "model/cost/block.hpp"

namespace plimsoll {
namespace {

/// Feed-forward block without a gate: down(act(up(x))), two matrices [hidden, intermediate].
class DenseFfn final : public Block {
  public:
    DenseFfn(const Fields& fields, int hidden)
        : hidden_(hidden),
          intermediate_(static_cast<int>(fields.integer("intermediate", {1, 1e7}))),
          bias_(fields.boolean_or("bias", false)) {
        fields.finish();
    }

    [[nodiscard]] std::int64_t matrix_parameters() const override { return matrix_parameters_per_rank({}); }
    [[nodiscard]] std::int64_t other_parameters() const override {
        return bias_ ? std::int64_t{intermediate_} + hidden_ : 0;
    }
    [[nodiscard]] std::int64_t matrix_parameters_per_rank(const Split& split) const override {
        return 2 * std::int64_t{hidden_} * columns(split);
    }
    [[nodiscard]] double widest_activation(const Split& split) const override { return 2.0 * columns(split); }

    void add_operators(const StepShape& shape, const Split& split, Storage storage,
                       std::vector<Operator>& operators) const override {
        const double tokens = shape.tokens(), width = columns(split), bytes = storage.activation_bytes();
        const Dtype weights = matrix_dtype(storage.weights);
        operators.push_back(gemm_operator("up_projection", "_ffn", tokens, width, hidden_, weights));
        operators.push_back(elementwise_operator("activation", "_ffn", tokens * width * bytes, tokens * width * bytes));
        operators.push_back(gemm_operator("down_projection", "_ffn", tokens, hidden_, width, weights));
    }

  private:
    /// Columns of the fullest rank; the last one may hold fewer.
    [[nodiscard]] int columns(const Split& split) const { return (intermediate_ + split.tensor - 1) / split.tensor; }

    int hidden_, intermediate_;
    bool bias_;
};

}  // namespace

void register_ffn_dense(Registry<BlockKind>& registry) {
    registry.add("ffn_dense", {.is_attention = false, .make = [](const Fields& fields, int hidden) {
                                   return std::make_unique<DenseFfn>(fields, hidden);
                               }});
}

}  // namespace plimsoll
