#include "cli/bench/model_points.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "calibrate/model_shapes.hpp"
#include "model/spec/catalog.hpp"

namespace plimsoll {
std::vector<KernelPoint> model_products(const std::string& data_directory, const std::vector<std::string>& models,
                                        const std::vector<std::string>& dtypes) {
    if (models.empty()) return {};
    Catalog catalog({data_directory});
    const bool all = std::find(models.begin(), models.end(), "all") != models.end();
    std::set<WeightShape> shapes;
    for (const auto& name : all ? catalog.models.names() : models)
        for (const WeightShape& shape : weight_shapes(catalog.models.at(name, "--models"), std::array{1, 2, 4, 8}))
            shapes.insert(shape);
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
