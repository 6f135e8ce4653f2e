#include "cli/bench/model_points.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "model/cost/architecture.hpp"
#include "model/spec/catalog.hpp"

namespace plimsoll {
namespace {

using WeightShape = std::pair<std::int64_t, std::int64_t>;  ///< outputs, inputs

void add_shapes(const Transformer& model, std::set<WeightShape>& shapes) {
    const Architecture architecture(model);
    StepShape one_token;
    one_token.decode_sequences = 1;
    one_token.context_tokens = 1;
    for (const int tensor : {1, 2, 4, 8}) {
        const Split split{.tensor = tensor};
        if (architecture.refusal(split)) continue;
        std::vector<Operator> operators;
        architecture.operators(one_token, split, {}, operators);
        for (const Operator& op : operators)
            if (op.kind == OperatorKind::gemm && op.experts == 0 && op.n >= 1 && op.k >= 1)
                shapes.emplace(std::llround(op.n), std::llround(op.k));
    }
}

}  // namespace

std::vector<KernelPoint> model_products(const std::string& data_directory, const std::vector<std::string>& models,
                                        const std::vector<std::string>& dtypes) {
    if (models.empty()) return {};
    Catalog catalog({data_directory});
    const bool all = std::find(models.begin(), models.end(), "all") != models.end();
    std::set<WeightShape> shapes;
    for (const auto& name : all ? catalog.models.names() : models)
        add_shapes(catalog.models.at(name, "--models"), shapes);
    std::vector<KernelPoint> points;
    for (const std::int64_t m : {1, 64, 512, 4096, 16, 128, 256, 1024, 2048, 8192, 16384})
        for (const auto& dtype : dtypes)
            for (const auto& [n, k] : shapes) {
                KernelPoint point{KernelClass::gemm, "cublaslt", dtype, "", {}, true};
                point.shape.m = m;
                point.shape.n = n;
                point.shape.k = k;
                points.push_back(point);
            }
    return points;
}

}  // namespace plimsoll
