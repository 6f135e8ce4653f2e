#include "model/cost/work.hpp"

namespace plimsoll {

std::string_view to_string(OperatorKind kind) {
    constexpr std::string_view names[] = {"gemm",           "prefill attention", "decode attention",
                                          "elementwise",    "all-reduce",        "all-gather",
                                          "reduce-scatter", "all-to-all",        "send-recv"};
    return names[static_cast<std::size_t>(kind)];
}

StepShape part_of(const StepShape& shape, int parts) {
    const double prompts = fullest_share(shape.prefill_sequences, parts);
    const double decodes = fullest_share(shape.decode_sequences, parts);
    return {.prefill_sequences = shape.prefill_sequences * prompts,
            .prefill_tokens = shape.prefill_tokens * prompts,
            .attention_pairs = shape.attention_pairs * prompts,
            .decode_sequences = shape.decode_sequences * decodes,
            .context_tokens = shape.context_tokens * decodes,
            .queries_per_decode = shape.queries_per_decode};
}

StepShape prompts_of(const StepShape& shape) {
    return {.prefill_sequences = shape.prefill_sequences,
            .prefill_tokens = shape.prefill_tokens,
            .attention_pairs = shape.attention_pairs,
            .even_prompts = shape.even_prompts};
}

StepShape decodes_of(const StepShape& shape) {
    return {.decode_sequences = shape.decode_sequences, .context_tokens = shape.context_tokens};
}

Operator gemm_operator(std::string_view name, std::string_view document_name, double m, double n, double k,
                       Dtype weights) {
    Operator op{.name = name, .document_name = document_name, .kind = OperatorKind::gemm};
    const double activation = bytes_per_value(activation_dtype(weights));
    op.work.flop = Flop(2.0 * m * n * k);
    const bool eight_bit = facts_of(weights).eight_bit;
    op.work.bytes_read = Bytes(n * k * bytes_per_value(weights) + m * k * (eight_bit ? 1.0 : activation));
    op.work.bytes_written = Bytes(m * n * activation);
    // 8-bit arithmetic quantizes its activations first: read as they are, written at one byte. Measured products have
    // that inside: they start from 16 bits (AIConfigurator collector/vllm/collect_gemm.py runs the engine's layer).
    if (eight_bit) op.work.bytes_read += Bytes(m * k * activation);
    if (eight_bit) op.work.bytes_written += Bytes(m * k);
    op.arithmetic = arithmetic_dtype(weights);
    op.expanded_weights = is_expanded(weights);
    op.m = m;
    op.n = n;
    op.k = k;
    return op;
}

Operator elementwise_operator(std::string_view name, std::string_view document_name, double read, double written) {
    Operator op{.name = name, .document_name = document_name, .kind = OperatorKind::elementwise};
    op.work.bytes_read = Bytes(read);
    op.work.bytes_written = Bytes(written);
    return op;
}

}  // namespace plimsoll
