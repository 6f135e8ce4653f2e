#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "calibrate/sample.hpp"
#include "model/spec/transformer.hpp"

namespace plimsoll {

/// Weights [n, k] of a product.
struct WeightShape {
    std::int64_t n = 0, k = 0;
    friend auto operator<=>(const WeightShape&, const WeightShape&) = default;
};

/// The weights of a model's products outside of its experts, each shape once, divided over each of these numbers of
/// tensor ranks that the model allows.
[[nodiscard]] std::vector<WeightShape> weight_shapes(const Transformer& model, std::span<const int> ranks);

/// The points with these weights in the place of those of the products: each number of rows and dtype once with every
/// shape. Products on a number of threads of their own stay, and no shapes change nothing.
[[nodiscard]] std::vector<KernelPoint> with_weights(std::vector<KernelPoint> points,
                                                    const std::vector<WeightShape>& shapes);

}  // namespace plimsoll
