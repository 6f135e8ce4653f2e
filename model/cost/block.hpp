#pragma once
#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/base/fields.hpp"
#include "model/base/registry.hpp"
#include "model/cost/split.hpp"
#include "model/cost/work.hpp"

namespace plimsoll {

/// How the values of a layer are stored.
struct Storage {
    Dtype weights = Dtype::fp16;
    Dtype kv = Dtype::fp16;
    [[nodiscard]] double activation_bytes() const { return bytes_per_value(activation_dtype(weights)); }
};

/// One half of a decoder layer (attention or FFN): its parameters, its KV cache, its operators. An attention block sees
/// the rank's own part of a step (see part_of), an FFN all of it.
class Block {
  public:
    Block() = default;
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;
    virtual ~Block() = default;

    /// Parameters of one layer that are stored in the weight dtype (matrices), whole model.
    [[nodiscard]] virtual std::int64_t matrix_parameters() const = 0;
    /// Parameters of one layer that stay in the activation dtype (biases, small norms), whole model.
    [[nodiscard]] virtual std::int64_t other_parameters() const { return 0; }
    /// Matrix parameters of one layer on the fullest rank.
    [[nodiscard]] virtual std::int64_t matrix_parameters_per_rank(const Split& split) const = 0;
    /// Of these, the ones that stand in experts.
    [[nodiscard]] virtual std::int64_t expert_parameters_per_rank(const Split& split) const {
        static_cast<void>(split);
        return 0;
    }
    /// The same where kernels fill up the model's width and the expert's to multiples.
    [[nodiscard]] virtual double filled_expert_parameters(const Split& split, int hidden_multiple,
                                                          int width_multiple) const {
        static_cast<void>(hidden_multiple), static_cast<void>(width_multiple);
        return static_cast<double>(expert_parameters_per_rank(split));
    }
    /// Parameters that one token uses; all but where it is sent to some of many experts.
    [[nodiscard]] virtual std::int64_t active_parameters() const { return matrix_parameters() + other_parameters(); }
    /// Copies of a step's tokens that the fullest rank takes from the others where tokens are sent to their experts.
    [[nodiscard]] virtual double received_copies(double tokens, const Split& split) const {
        static_cast<void>(tokens), static_cast<void>(split);
        return 0;
    }
    /// KV values of one token and layer on one rank, for a token of the rank's own group, the mean over the ranks that
    /// share its context; 0 for a block without a cache.
    [[nodiscard]] virtual double kv_values_per_token(const Split& split) const {
        static_cast<void>(split);
        return 0;
    }
    /// The last tokens that a query sees and the cache keeps, where these are not all.
    [[nodiscard]] virtual std::optional<int> window() const { return std::nullopt; }
    /// Widest intermediate activation of one token on one rank, in values.
    [[nodiscard]] virtual double widest_activation(const Split& split) const = 0;
    /// Values of one token in the buffers that products of experts share on one rank.
    [[nodiscard]] virtual double expert_workspace(const Split& split) const {
        static_cast<void>(split);
        return 0;
    }
    /// Why the block cannot be split so, if so.
    [[nodiscard]] virtual std::optional<std::string> refusal(const Split& split) const {
        static_cast<void>(split);
        return std::nullopt;
    }
    /// The attention over a step's prompts on one rank, one layer (attention blocks; needs prompt tokens in the shape).
    [[nodiscard]] virtual Operator prefill_attention(const StepShape& shape, const Split& split,
                                                     Storage storage) const {
        static_cast<void>(shape), static_cast<void>(split), static_cast<void>(storage);
        return {};
    }
    /// The attention of a step's decodes, likewise (needs decodes in the shape).
    [[nodiscard]] virtual Operator decode_attention(const StepShape& shape, const Split& split, Storage storage) const {
        static_cast<void>(shape), static_cast<void>(split), static_cast<void>(storage);
        return {};
    }
    /// Appends the operators of one layer on one rank.
    virtual void add_operators(const StepShape& shape, const Split& split, Storage storage,
                               std::vector<Operator>& operators) const = 0;
};

/// A kind of block as one file of model/cost/blocks registers it.
struct BlockKind {
    bool is_attention = false;
    /// Reads the block's own fields (strictly) for a model of width `hidden`.
    std::function<std::unique_ptr<Block>(const Fields& fields, int hidden)> make;
};

/// All block kinds, by file name.
[[nodiscard]] const Registry<BlockKind>& block_kinds();

}  // namespace plimsoll
