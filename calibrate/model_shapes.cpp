#include "calibrate/model_shapes.hpp"

#include <cmath>
#include <set>
#include <tuple>

#include "model/cost/architecture.hpp"

namespace plimsoll {

std::vector<WeightShape> weight_shapes(const Transformer& model, std::span<const int> ranks) {
    const Architecture architecture(model);
    const StepShape one_token{.decode_sequences = 1, .context_tokens = 1};
    std::set<WeightShape> shapes;
    std::vector<Operator> operators;
    for (const int tensor : ranks) {
        const Split split{.tensor = tensor};
        if (architecture.refusal(split)) continue;
        architecture.operators(one_token, split, {}, operators);
        for (const Operator& op : operators)
            if (op.kind == OperatorKind::gemm && op.experts <= 0 && op.n >= 1 && op.k >= 1)
                shapes.insert({std::llround(op.n), std::llround(op.k)});
    }
    return {shapes.begin(), shapes.end()};
}

std::vector<KernelPoint> with_weights(std::vector<KernelPoint> points, const std::vector<WeightShape>& shapes) {
    if (shapes.empty()) return points;
    std::set<std::tuple<std::string, std::string, std::int64_t>> seen;
    std::vector<KernelPoint> result;
    for (KernelPoint& point : points) {
        if (point.kernel != KernelClass::gemm || point.shape.ranks != 0) {
            result.push_back(std::move(point));
        } else if (seen.emplace(point.path, point.dtype, point.shape.m).second) {
            for (const WeightShape& shape : shapes) {
                point.shape.n = shape.n, point.shape.k = shape.k;
                result.push_back(point);
            }
        }
    }
    return result;
}

}  // namespace plimsoll
