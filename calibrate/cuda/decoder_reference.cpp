#include "calibrate/cuda/decoder_reference.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace plimsoll::cuda {
namespace {

using Values = std::vector<double>;

std::size_t size(std::int64_t count) {
    return static_cast<std::size_t>(count);
}

/// x[rows, k] w[n, k]^T.
Values product(const Values& x, const Values& w, std::size_t k) {
    const std::size_t rows = x.size() / k, n = w.size() / k;
    Values y(rows * n);
    for (std::size_t row = 0; row < rows; ++row)
        for (std::size_t column = 0; column < n; ++column)
            for (std::size_t i = 0; i < k; ++i) y[row * n + column] += x[row * k + i] * w[column * k + i];
    return y;
}

Values normed(const Values& x, const Values& weight) {
    const std::size_t width = weight.size();
    Values y(x.size());
    for (std::size_t row = 0; row < x.size(); row += width) {
        double squares = 0;
        for (std::size_t i = 0; i < width; ++i) squares += x[row + i] * x[row + i];
        const double scale = 1 / std::sqrt(squares / static_cast<double>(width) + 1e-5);
        for (std::size_t i = 0; i < width; ++i) y[row + i] = x[row + i] * scale * weight[i];
    }
    return y;
}

/// Rotates one head at `x` by the angles of its position.
void rotate(double* x, std::size_t head_dim, double position) {
    const std::size_t half = head_dim / 2;
    for (std::size_t i = 0; i < half; ++i) {
        const double angle = position * std::pow(1e4, -static_cast<double>(i) / static_cast<double>(half));
        const double low = x[i], high = x[i + half];
        x[i] = low * std::cos(angle) - high * std::sin(angle);
        x[i + half] = high * std::cos(angle) + low * std::sin(angle);
    }
}

/// One head of one token over `seen` keys and values, whose rows are `stride` apart.
void attend(const double* q, const double* k, const double* v, std::size_t stride, std::size_t seen,
            std::size_t head_dim, double* out) {
    Values weights(seen);
    double largest = -HUGE_VAL, sum = 0;
    for (std::size_t t = 0; t < seen; ++t) {
        for (std::size_t d = 0; d < head_dim; ++d) weights[t] += q[d] * k[t * stride + d];
        weights[t] /= std::sqrt(static_cast<double>(head_dim));
        largest = std::max(largest, weights[t]);
    }
    for (double& weight : weights) sum += weight = std::exp(weight - largest);
    for (std::size_t d = 0; d < head_dim; ++d) out[d] = 0;
    for (std::size_t t = 0; t < seen; ++t)
        for (std::size_t d = 0; d < head_dim; ++d) out[d] += weights[t] / sum * v[t * stride + d];
}

/// Rotates queries and keys, puts keys and values in their places, and attends: [rows, heads, head_dim].
Values attention(const DecoderPoint& point, Values qkv, Values keys, Values values) {
    const DecoderShape& s = point.model;
    const std::size_t head_dim = size(s.head_dim), heads = size(s.heads), kv_heads = size(s.kv_heads);
    const std::size_t query = size(point.query), kv = size(point.kv), rows = size(point.batch) * query;
    const std::size_t row_width = (heads + 2 * kv_heads) * head_dim, kv_width = kv_heads * head_dim;
    for (std::size_t row = 0; row < rows; ++row) {
        double* const of_row = qkv.data() + row * row_width;
        const std::size_t position = kv - query + row % query, slot = (row / query * kv + position) * kv_width;
        for (std::size_t head = 0; head < heads + kv_heads; ++head)
            rotate(of_row + head * head_dim, head_dim, static_cast<double>(position));
        std::copy_n(of_row + heads * head_dim, kv_width, keys.begin() + static_cast<std::ptrdiff_t>(slot));
        std::copy_n(of_row + heads * head_dim + kv_width, kv_width, values.begin() + static_cast<std::ptrdiff_t>(slot));
    }
    Values out(rows * heads * head_dim);
    for (std::size_t row = 0; row < rows; ++row)
        for (std::size_t head = 0; head < heads; ++head) {
            const std::size_t first = row / query * kv * kv_width + head / (heads / kv_heads) * head_dim;
            attend(qkv.data() + row * row_width + head * head_dim, keys.data() + first, values.data() + first, kv_width,
                   kv - query + row % query + 1, head_dim, out.data() + (row * heads + head) * head_dim);
        }
    return out;
}

Values gated(const Values& x, std::size_t width) {
    Values y(x.size() / 2);
    for (std::size_t i = 0; i < y.size(); ++i) {
        const double gate = x[i / width * 2 * width + i % width], up = x[i / width * 2 * width + i % width + width];
        y[i] = gate / (1 + std::exp(-gate)) * up;
    }
    return y;
}

void add(Values& x, const Values& more) {
    std::transform(x.begin(), x.end(), more.begin(), x.begin(), [](double a, double b) { return a + b; });
}

}  // namespace

std::vector<double> decoder_reference(const DecoderPoint& point, const std::vector<LayerValues>& layers,
                                      std::vector<double> x) {
    const std::size_t hidden = size(point.model.hidden), inner = size(point.model.inner);
    for (const LayerValues& layer : layers) {
        const Values mixed =
            attention(point, product(normed(x, layer.first_norm), layer.qkv, hidden), layer.keys, layer.values);
        add(x, product(mixed, layer.o, size(point.model.heads * point.model.head_dim)));
        const Values activated = gated(product(normed(x, layer.second_norm), layer.gate_up, hidden), inner);
        add(x, product(activated, layer.down, inner));
    }
    return x;
}

}  // namespace plimsoll::cuda
