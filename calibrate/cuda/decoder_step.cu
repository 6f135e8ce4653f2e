#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

#include "calibrate/cuda/attention.hpp"
#include "calibrate/cuda/decoder_reference.hpp"
#include "calibrate/cuda/decoder_step.hpp"
#include "calibrate/cuda/elementwise.hpp"
#include "calibrate/cuda/matmul.hpp"
#include "calibrate/cuda/timed_kernel.hpp"

namespace plimsoll::cuda {
namespace {

constexpr std::int64_t page_tokens = 16;

std::size_t size(std::int64_t count) {
    return static_cast<std::size_t>(count);
}

/// Sizes of the step in elements.
struct Widths {
    std::int64_t rows, hidden, inner, q, kv, qkv;

    explicit Widths(const DecoderPoint& p)
        : rows(p.batch * p.query),
          hidden(p.model.hidden),
          inner(p.model.inner),
          q(p.model.heads * p.model.head_dim),
          kv(p.model.kv_heads * p.model.head_dim),
          qkv(q + 2 * kv) {}
};

/// What one layer holds.
struct Layer {
    DeviceMemory qkv, o, gate_up, down, first_norm, second_norm, k_pages, v_pages;

    Layer(Dtype dtype, const Widths& w, std::size_t cache_values, std::uint64_t seed) {
        // Outputs of the size of the inputs: uniform in [-a, a) has the variance a^2 / 3.
        const auto weights = [&](std::int64_t out, std::int64_t in) {
            const float amplitude = std::sqrt(3.0F / static_cast<float>(in));
            return random_values(dtype, size(out * in), ++seed, amplitude);
        };
        qkv = weights(w.qkv, w.hidden);
        o = weights(w.hidden, w.q);
        gate_up = weights(2 * w.inner, w.hidden);
        down = weights(w.hidden, w.inner);
        first_norm = random_values(dtype, size(w.hidden), ++seed);
        second_norm = random_values(dtype, size(w.hidden), ++seed);
        k_pages = random_values(dtype, cache_values, ++seed);
        v_pages = random_values(dtype, cache_values, ++seed);
    }
};

class DecoderStep final : public TimedKernel {
  public:
    explicit DecoderStep(const DecoderPoint& point)
        : TimedKernel(true, 1),
          point_(point),
          dtype_(dtype_of(point.dtype)),
          width_(point),
          qkv_product_(dtype_, width_.rows, width_.qkv, width_.hidden),
          o_product_(dtype_, width_.rows, width_.hidden, width_.q),
          gate_up_product_(dtype_, width_.rows, 2 * width_.inner, width_.hidden),
          down_product_(dtype_, width_.rows, width_.hidden, width_.inner) {
        if (decodes() ? point.query != 1 : point.query != point.kv)
            throw std::runtime_error("a decoder step takes whole prompts or one token a sequence");
        pages_ = (point.kv + page_tokens - 1) / page_tokens;
        const std::size_t cache_values = size(point.batch * pages_ * page_tokens * width_.kv);
        layers_.reserve(size(point.model.layers));
        for (std::int64_t i = 0; i < point.model.layers; ++i)
            layers_.emplace_back(dtype_, width_, cache_values, static_cast<std::uint64_t>(100 * i));
        make_rows();
        make_tables();
        prefill_path_ = prefill_path(dtype_, static_cast<int>(point.model.head_dim));
        if (decodes()) {
            const DecodeArguments a = decode_arguments(layers_.front());
            splits_ = decode_splits(dtype_, a);
            partial_ = DeviceMemory(decode_scratch_floats(a, splits_) * sizeof(float));
        }
    }

    double error() override {
        constexpr std::int64_t most_layers = 4, most_hidden = 1024;
        if (point_.model.layers > most_layers || width_.hidden > most_hidden)
            throw std::runtime_error("a step of this size is not computed in double precision");
        std::vector<LayerValues> layers;
        for (const Layer& layer : layers_) layers.push_back(values_of(layer));
        for (const DeviceMemory* memory : {&residual_, &normed_, &qkv_, &mixed_, &out_, &gate_up_, &inner_})
            poison(*memory);
        run_plainly();
        const std::size_t count = size(width_.rows * width_.hidden);
        auto result = numbers(dtype_, residual_.as(), count);
        const auto last = numbers(dtype_, out_.as(), count);
        std::transform(result.begin(), result.end(), last.begin(), result.begin(), std::plus<>{});
        return relative_deviation(result, decoder_reference(point_, layers, numbers(dtype_, x_.as(), count)));
    }
    // Each of some ten roundings a layer adds its share: 2^-9 (bf16) or 2^-12 (fp16) of the size of what is rounded.
    [[nodiscard]] double tolerance() const override { return dtype_ == Dtype::bf16 ? 4e-2 : 6e-3; }

  protected:
    void launch(cudaStream_t stream, int) override {
        check(cudaMemcpyAsync(residual_.as(), x_.as(), residual_.bytes(), cudaMemcpyDeviceToDevice, stream), "embed");
        bool first = true;
        for (const Layer& layer : layers_) {
            norm(first ? residual_ : out_, layer.first_norm, !first, stream);
            attend(layer, stream);
            norm(out_, layer.second_norm, true, stream);
            gate_up_product_(normed_.as(), layer.gate_up.as(), gate_up_.as(), stream);
            silu_multiply(dtype_, gate_up_.as(), inner_.as(), width_.rows, width_.inner, stream);
            down_product_(inner_.as(), layer.down.as(), out_.as(), stream);
            first = false;
        }
    }

  private:
    [[nodiscard]] bool decodes() const { return point_.kv > point_.query; }

    void make_rows() {
        const auto rows_of = [&](std::int64_t width) {
            return DeviceMemory(size(width_.rows * width) * size_of(dtype_));
        };
        x_ = random_values(dtype_, size(width_.rows * width_.hidden), 99);
        residual_ = rows_of(width_.hidden);
        normed_ = rows_of(width_.hidden);
        qkv_ = rows_of(width_.qkv);
        mixed_ = rows_of(width_.q);
        out_ = rows_of(width_.hidden);
        gate_up_ = rows_of(2 * width_.inner);
        inner_ = rows_of(width_.inner);
    }

    /// Angles of all positions, position and slot of each row, pages of each sequence one after another.
    void make_tables() {
        const std::int64_t half = point_.model.head_dim / 2;
        std::vector<float2> angles(size(point_.kv * half));
        for (std::size_t i = 0; i < angles.size(); ++i) {
            const auto position = static_cast<double>(i / size(half)), pair = static_cast<double>(i % size(half));
            const double angle = position * std::pow(1e4, -pair / static_cast<double>(half));
            angles[i] = {static_cast<float>(std::cos(angle)), static_cast<float>(std::sin(angle))};
        }
        std::vector<std::int32_t> positions, slots, table(size(point_.batch * pages_));
        for (std::int64_t row = 0; row < width_.rows; ++row) {
            const std::int64_t position = point_.kv - point_.query + row % point_.query;
            positions.push_back(static_cast<std::int32_t>(position));
            slots.push_back(static_cast<std::int32_t>(row / point_.query * pages_ * page_tokens + position));
        }
        std::iota(table.begin(), table.end(), 0);
        angles_ = to_device(angles);
        positions_ = to_device(positions);
        slots_ = to_device(slots);
        table_ = to_device(table);
    }

    [[nodiscard]] DecodeArguments decode_arguments(const Layer& layer) const {
        DecodeArguments a;
        a.q = qkv_.as();
        a.k_pages = layer.k_pages.as();
        a.v_pages = layer.v_pages.as();
        a.o = mixed_.as();
        a.table = table_.as<std::int32_t>();
        a.partial = partial_.as<float>();
        a.batch = static_cast<int>(point_.batch);
        a.kv = static_cast<int>(point_.kv);
        a.heads = static_cast<int>(point_.model.heads);
        a.kv_heads = static_cast<int>(point_.model.kv_heads);
        a.head_dim = static_cast<int>(point_.model.head_dim);
        a.page_tokens = static_cast<int>(page_tokens);
        a.pages_per_sequence = static_cast<int>(pages_);
        a.q_row = width_.qkv;
        return a;
    }

    [[nodiscard]] PrefillArguments prefill_arguments() const {
        PrefillArguments a;
        a.q = qkv_.as();
        a.k = qkv_.as(size(width_.q) * size_of(dtype_));
        a.v = qkv_.as(size(width_.q + width_.kv) * size_of(dtype_));
        a.o = mixed_.as();
        a.batch = static_cast<int>(point_.batch);
        a.query = a.kv = static_cast<int>(point_.query);
        a.heads = static_cast<int>(point_.model.heads);
        a.kv_heads = static_cast<int>(point_.model.kv_heads);
        a.head_dim = static_cast<int>(point_.model.head_dim);
        a.q_row = a.kv_row = width_.qkv;
        return a;
    }

    /// normed = norm of x, or of the residual after x was added to it.
    void norm(const DeviceMemory& x, const DeviceMemory& weight, bool adds, cudaStream_t stream) const {
        NormArguments a;
        a.x = x.as();
        a.residual = adds ? residual_.as() : nullptr;
        a.weight = weight.as();
        a.y = normed_.as();
        a.rows = width_.rows;
        a.width = width_.hidden;
        rms_norm(dtype_, a, stream);
    }

    void attend(const Layer& layer, cudaStream_t stream) const {
        qkv_product_(normed_.as(), layer.qkv.as(), qkv_.as(), stream);
        RopeArguments r;
        r.x = qkv_.as();
        r.table = angles_.as<float2>();
        r.positions = positions_.as<std::int32_t>();
        r.rows = width_.rows;
        r.row_stride = width_.qkv;
        r.heads = static_cast<int>(point_.model.heads + point_.model.kv_heads);
        r.head_dim = static_cast<int>(point_.model.head_dim);
        rope(dtype_, r, stream);
        KvWriteArguments w;
        w.k = qkv_.as(size(width_.q) * size_of(dtype_));
        w.v = qkv_.as(size(width_.q + width_.kv) * size_of(dtype_));
        w.k_pages = layer.k_pages.as();
        w.v_pages = layer.v_pages.as();
        w.slots = slots_.as<std::int32_t>();
        w.rows = width_.rows;
        w.row_stride = width_.qkv;
        w.width = width_.kv;
        kv_write(dtype_, w, stream);
        if (decodes())
            attention_decode(dtype_, decode_arguments(layer), splits_, stream);
        else
            attention_prefill_of(prefill_path_, dtype_, prefill_arguments(), stream);
        o_product_(mixed_.as(), layer.o.as(), out_.as(), stream);
    }

    [[nodiscard]] LayerValues values_of(const Layer& layer) const {
        const auto all = [&](const DeviceMemory& memory) {
            return numbers(dtype_, memory.as(), memory.bytes() / size_of(dtype_));
        };
        LayerValues values{all(layer.qkv),
                           all(layer.o),
                           all(layer.gate_up),
                           all(layer.down),
                           all(layer.first_norm),
                           all(layer.second_norm),
                           {},
                           {}};
        // Pages lie in the order of the sequences, each with room to the end of its last page.
        const auto dense = [&](const DeviceMemory& pages) {
            const auto paged = all(pages);
            std::vector<double> result;
            for (std::int64_t sequence = 0; sequence < point_.batch; ++sequence) {
                const auto begin = paged.begin() + sequence * pages_ * page_tokens * width_.kv;
                result.insert(result.end(), begin, begin + point_.kv * width_.kv);
            }
            return result;
        };
        values.keys = dense(layer.k_pages);
        values.values = dense(layer.v_pages);
        return values;
    }

    DecoderPoint point_;
    Dtype dtype_;
    Widths width_;
    Matmul qkv_product_, o_product_, gate_up_product_, down_product_;
    std::int64_t pages_ = 0;
    std::vector<Layer> layers_;
    DeviceMemory x_, residual_, normed_, qkv_, mixed_, out_, gate_up_, inner_;
    DeviceMemory angles_, positions_, slots_, table_, partial_;
    int splits_ = 1;
    std::string prefill_path_;
};

}  // namespace

std::unique_ptr<PreparedKernel> prepare_decoder_step(const DecoderPoint& point) {
    return std::make_unique<DecoderStep>(point);
}

std::vector<DecoderPoint> decoder_points(bool quick) {
    const std::string dtype = device_limits().capability >= 80 ? "bf16" : "fp16";
    const std::vector<DecoderShape> models{{"llama-2-7b", 32, 4096, 32, 32, 128, 11008},
                                           {"llama-3-8b", 32, 4096, 32, 8, 128, 14336}};
    std::vector<DecoderPoint> result;
    const auto add = [&](const DecoderShape& model, std::int64_t batch, std::int64_t query, std::int64_t kv) {
        const Widths w({model, dtype, batch, query, kv});
        const std::int64_t layer = w.hidden * (w.qkv + w.q + 3 * w.inner) + 2 * batch * (kv + page_tokens) * w.kv;
        const std::int64_t rows = w.rows * (4 * w.hidden + w.qkv + w.q + 3 * w.inner);
        // Two bytes a value; a tenth of the memory stays free for the library and for the flush.
        if (2.0 * static_cast<double>(model.layers * layer + rows) <
            0.9 * static_cast<double>(device_limits().memory_bytes))
            result.push_back({model, dtype, batch, query, kv});
    };
    // Both models at the first sizes before others: a budget may end it anywhere.
    const std::vector<std::int64_t> batches =
        quick ? std::vector<std::int64_t>{1, 32} : std::vector<std::int64_t>{1, 32, 128, 4, 16, 64};
    const std::vector<std::int64_t> contexts =
        quick ? std::vector<std::int64_t>{1024} : std::vector<std::int64_t>{1024, 4096, 256};
    const std::vector<std::int64_t> prompts =
        quick ? std::vector<std::int64_t>{1024} : std::vector<std::int64_t>{1024, 4096, 128, 512, 2048};
    for (const auto tokens : prompts)
        for (const auto& model : models) add(model, 1, tokens, tokens);
    for (const auto kv : contexts)
        for (const auto batch : batches)
            for (const auto& model : models) add(model, batch, 1, kv);
    if (!quick)
        for (const auto& model : models) add(model, 4, 1024, 1024);
    return result;
}

std::vector<DecoderPart> decoder_parts(const DecoderPoint& p) {
    const Widths w(p);
    const std::int64_t layers = p.model.layers;
    std::vector<DecoderPart> parts;
    const auto product = [&](std::int64_t n, std::int64_t k) {
        DecoderPart part{"gemm", {KernelClass::gemm, "cublaslt", p.dtype, "", {}, true}, layers};
        part.point.shape.m = w.rows;
        part.point.shape.n = n;
        part.point.shape.k = k;
        parts.push_back(part);
    };
    const auto between = [&](const char* path, std::int64_t width, std::int64_t passes, std::int64_t times) {
        DecoderPart part{"elementwise", {KernelClass::elementwise, path, p.dtype, "", {}, false}, times};
        part.point.shape.m = w.rows;
        part.point.shape.n = width;
        part.point.shape.bytes = passes * w.rows * width * 2;
        parts.push_back(part);
    };
    product(w.qkv, w.hidden);
    product(w.hidden, w.q);
    product(2 * w.inner, w.hidden);
    product(w.hidden, w.inner);
    between("rms_norm", w.hidden, 2, 1);
    between("add_rms_norm", w.hidden, 4, 2 * layers - 1);
    between("rope", w.q + w.kv, 2, layers);
    between("kv_write", w.kv, 4, layers);
    between("silu_mul", w.inner, 3, layers);
    const bool decodes = p.kv > p.query;
    DecoderPart attention{decodes ? "attention_decode" : "attention_prefill",
                          {decodes ? KernelClass::attention_decode : KernelClass::attention_prefill,
                           decodes ? "paged" : prefill_path(dtype_of(p.dtype), static_cast<int>(p.model.head_dim)),
                           p.dtype,
                           p.dtype,
                           {},
                           decodes},
                          layers};
    attention.point.shape.batch = p.batch;
    attention.point.shape.query = p.query;
    attention.point.shape.kv = p.kv;
    attention.point.shape.heads = p.model.heads;
    attention.point.shape.kv_heads = p.model.kv_heads;
    attention.point.shape.head_dim = p.model.head_dim;
    parts.push_back(attention);
    return parts;
}

}  // namespace plimsoll::cuda
