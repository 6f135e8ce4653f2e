// Published config.json files become the models that they describe, and files that do not are refused with the place.
#include "model/spec/hugging_face.hpp"

#include <algorithm>
#include <set>

#include "model/base/error.hpp"
#include "model/cost/architecture.hpp"
#include "tests/catch.hpp"
#include "tests/cli_run.hpp"
#include "tests/hugging_face.hpp"
#include "tests/library.hpp"

using namespace plimsoll;
using namespace plimsoll::published;

namespace {

/// The fields of a block with those left out that stand at what their absence means.
std::set<std::string> facts_of(const Fields& block) {
    std::set<std::string> facts;
    for (const std::string& key : block.keys())
        if (block.json(key) != "false" && block.json(key) != "0") facts.insert(key + "=" + block.json(key));
    return facts;
}

void check_same(const Transformer& imported, const Transformer& entry) {
    CHECK(imported.layers == entry.layers);
    CHECK(imported.hidden == entry.hidden);
    CHECK(imported.vocabulary == entry.vocabulary);
    CHECK(imported.max_context == entry.max_context);
    CHECK(imported.tied_embeddings == entry.tied_embeddings);
    CHECK(imported.norms_per_layer == entry.norms_per_layer);
    CHECK(imported.norm_biases == entry.norm_biases);
    CHECK(imported.head_bias == entry.head_bias);
    CHECK(imported.learned_positions == entry.learned_positions);
    CHECK(imported.native_dtype == entry.native_dtype);
    CHECK(imported.prediction_layers == entry.prediction_layers);
    REQUIRE(imported.groups.size() == entry.groups.size());
    for (std::size_t i = 0; i < entry.groups.size(); ++i) {
        CHECK(imported.groups[i].layers == entry.groups[i].layers);
        CHECK(facts_of(imported.groups[i].attention) == facts_of(entry.groups[i].attention));
        CHECK(facts_of(imported.groups[i].ffn) == facts_of(entry.groups[i].ffn));
    }
}

}  // namespace

TEST_CASE("published configs have the parameters of their checkpoints") {
    int compared = 0;
    for (const Row& row : rows()) {
        INFO(row.name);
        const Transformer imported = read_model(Fields::from_file(row.file()));
        CHECK(imported.name == row.name);
        const Architecture architecture(imported);
        if (row.parameters == "-") continue;
        CHECK(std::to_string(architecture.parameters()) == row.parameters);
        ++compared;
    }
    CHECK(compared >= 40);
}

TEST_CASE("every published config says where its fields were read, and every total where it comes from") {
    for (const Row& row : rows()) {
        INFO(row.name);
        const std::string source = Fields::from_file(row.file()).string("_source");
        CHECK(source.find(": ") != std::string::npos);
        CHECK(source.find("memory") == std::string::npos);
        const bool counted = row.origin.starts_with("published: ") || row.origin.starts_with("by hand");
        CHECK(counted == (row.parameters != "-"));
    }
}

TEST_CASE("a published config is the entry that the library has of it") {
    int compared = 0;
    for (const Row& row : rows()) {
        if (row.entry == "-") continue;
        INFO(row.name);
        check_same(read_model(Fields::from_file(row.file())), testing::model(row.entry));
        ++compared;
    }
    CHECK(compared >= 15);
}

TEST_CASE("every family of the seam has a published config among the tests") {
    std::set<std::string> tested;
    for (const Row& row : rows()) {
        const Fields config = Fields::from_file(row.file());
        tested.insert(config.string("model_type"));
        if (config.has("text_config")) tested.insert(config.object("text_config").string("model_type"));
    }
    for (const std::string& type : hugging_face_families().names()) CHECK(tested.contains(type));
}

TEST_CASE("an imported model, written as an entry of our own, reads as the same") {
    for (const Row& row : rows()) {
        INFO(row.name);
        const Fields entry = entry_of_config(Fields::from_file(row.file()));
        check_same(read_transformer(Fields::from_text(entry.dump(2), "written")),
                   read_model(Fields::from_file(row.file())));
    }
}

TEST_CASE("KV bytes a token of imported configs") {
    const auto bytes = [](const std::string& name) {
        return Architecture(read_model(Fields::from_file(folder + name + "/config.json")))
            .kv_bytes_per_token(Dtype::fp16)
            .value();
    };
    CHECK(bytes("deepseek-v3") == 70'272);   // 61 layers x (512 + 64) x 2 B
    CHECK(bytes("falcon-7b") == 8'192);      // 2 x 32 layers x one head of 64 x 2 B
    CHECK(bytes("opt-6.7b") == 524'288);     // 2 x 32 layers x 4096 x 2 B
    CHECK(bytes("internlm3-8b") == 49'152);  // 2 x 48 layers x 2 heads x 128 x 2 B
}

TEST_CASE("windows of a config") {
    const auto windows = [](const Transformer& model) {
        std::vector<std::pair<int, int>> result;  // layers, window
        for (const auto& group : model.groups)
            result.emplace_back(group.layers, static_cast<int>(group.attention.integer_or("window", 0, {0, 1e9})));
        return result;
    };
    using Windows = std::vector<std::pair<int, int>>;
    CHECK(windows(changed("mistral-7b-v0.1", {})) == Windows{{32, 4096}});
    CHECK(windows(changed("mistral-7b-v0.1", {{"sliding_window", "null"}})) == Windows{{32, 0}});
    CHECK(windows(changed("mistral-7b-v0.1", {{"sliding_window", "32768"}})) == Windows{{32, 0}});
    CHECK(windows(changed("qwen2.5-7b", {{"sliding_window", "4096"}})) == Windows{{28, 0}});
    // Layers from max_window_layers on slide.
    CHECK(windows(changed("qwen2.5-7b",
                          {{"sliding_window", "4096"}, {"use_sliding_window", "true"}, {"max_window_layers", "21"}})) ==
          Windows{{21, 0}, {7, 4096}});
    // Five of six layers slide; of 34 layers 6, 12, 18, 24 and 30 do not.
    CHECK(windows(changed("gemma-3-4b", {})) == Windows{{29, 1024}, {5, 0}});
    CHECK(windows(changed("gemma-2-2b", {{"num_hidden_layers", "3"}})) == Windows{{2, 4096}, {1, 0}});
    CHECK(windows(changed("gpt-oss-20b",
                          {{"num_hidden_layers", "2"}, {"layer_types", R"(["full_attention", "full_attention"])"}})) ==
          Windows{{2, 0}});
}

TEST_CASE("layers of a mixture that are dense") {
    const auto model = changed("qwen3-30b-a3b", {{"mlp_only_layers", "[0, 47]"}});
    REQUIRE(model.groups.size() == 2);
    CHECK(model.groups[0].layers == 2);
    CHECK(model.groups[0].ffn.string("kind") == "gated");
    CHECK(model.groups[0].ffn.integer("intermediate", {1, 1e6}) == 6144);
    // Of 24 layers, every third has experts.
    CHECK(changed("qwen1.5-moe-a2.7b", {{"decoder_sparse_step", "3"}}).groups[0].layers == 16);
}

TEST_CASE("dtypes of weights") {
    const auto dtype = [](const std::string& quantization) {
        return to_string(changed("yi-34b", {{"quantization_config", quantization}}).native_dtype);
    };
    CHECK(dtype("null") == "bf16");
    CHECK(dtype(R"({"quant_method": "awq", "bits": 4, "group_size": 128, "version": "gemm"})") == "awq-int4");
    CHECK(dtype(R"({"quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": false})") == "gptq-int4");
    CHECK(dtype(R"({"quant_method": "fp8", "activation_scheme": "static"})") == "fp8");
    CHECK(dtype(R"({"quant_method": "fp8", "weight_block_size": [128, 128]})") == "fp8-block");
    CHECK(dtype(R"({"quant_method": "compressed-tensors", "format": "int-quantized"})") == "int8");
    CHECK(dtype(R"({"quant_method": "compressed-tensors", "format": "pack-quantized",
                    "config_groups": {"group_0": {"weights": {"num_bits": 4, "group_size": 128}}}})") == "gptq-int4");
    CHECK(dtype(R"({"quant_method": "modelopt", "quant_algo": "NVFP4"})") == "nvfp4");
    CHECK(to_string(changed("gpt2", {}).native_dtype) == "fp16");
    CHECK(to_string(changed("gpt2", {{"torch_dtype", "\"float32\""}}).native_dtype) == "fp32");
    CHECK(to_string(changed("yi-34b", {{"dtype", "\"float16\""}}).native_dtype) == "fp16");

    const std::string file = folder + "yi-34b/config.json: /quantization_config";
    CHECK(refusal("yi-34b", {{"quantization_config", R"({"quant_method": "gptq", "bits": 8, "group_size": 128})"}}) ==
          file + "/bits: weights of 4 bits are known, not 8");
    CHECK(refusal("yi-34b", {{"quantization_config", R"({"quant_method": "bitsandbytes", "load_in_4bit": true})"}}) ==
          file +
              "/quant_method: unknown quantization 'bitsandbytes'; known: awq, compressed-tensors, fbgemm_fp8, fp8, "
              "gptq, modelopt, mxfp4");
    CHECK(refusal("deepseek-v3", {{"quantization_config.weight_block_size", "[64, 64]"}}) ==
          folder +
              "deepseek-v3/config.json: /quantization_config/weight_block_size: blocks of 128 x 128 weights are "
              "known");
}

TEST_CASE("configs that do not say what is needed, or say what is not understood") {
    const auto place = [](const std::string& name) { return folder + name + "/config.json: "; };
    CHECK(refusal("yi-34b", {{"hidden_size", ""}}) == place("yi-34b") + "the field 'hidden_size' is missing");
    CHECK(refusal("yi-34b", {{"num_hidden_layers", "-4"}}) ==
          place("yi-34b") + "/num_hidden_layers: expected a whole number from 1 to 10000, got -4");
    CHECK(refusal("yi-34b", {{"num_attention_heads", "48"}}) ==
          place("yi-34b") + "/num_attention_heads: 48 heads do not divide the hidden size of 7168");
    CHECK(refusal("yi-34b", {{"num_key_value_heads", "5"}}) ==
          place("yi-34b") + "/num_key_value_heads: 5 key-value heads do not divide 56 heads");
    CHECK(refusal("yi-34b", {{"num_local_experts", "8"}}) ==
          place("yi-34b") + "/num_local_experts: changes the layers in a way that is not known of model_type 'llama'");
    CHECK(refusal("gpt-oss-20b", {{"num_hidden_layers", "2"}, {"layer_types", R"(["full_attention", "linear"])"}}) ==
          place("gpt-oss-20b") +
              "/layer_types: unknown kind of layer 'linear'; known: chunked_attention, full_attention, "
              "sliding_attention");
    CHECK(refusal("mixtral-8x7b", {{"num_experts_per_tok", "9"}}) ==
          place("mixtral-8x7b") + "/num_experts_per_tok: 9 experts a token, of 8");
    CHECK(refusal("opt-6.7b", {{"word_embed_proj_dim", "512"}}) ==
          place("opt-6.7b") + "/word_embed_proj_dim: OPT is known with embeddings as wide as its layers, not 512");
}

TEST_CASE("whatever a field of a config holds, the model is right or the config is refused") {
    const std::vector<std::string> odd = {"-1",   "0",     "1",  "7",  "2147483648", "1e300",    "0.5",
                                          "true", "\"x\"", "[]", "{}", "[1]",        "10000000", "null"};
    int accepted = 0, refused = 0;
    for (const Row& row : rows())
        for (const std::string& key : Fields::from_file(row.file()).keys())
            for (const std::string& value : odd) {
                INFO(row.name << " " << key << " " << value);
                try {
                    const Transformer model = changed(row.name, {{key, value}});
                    const std::int64_t parameters = Architecture(model).parameters();
                    CHECK(parameters > 0);
                    ++accepted;
                } catch (const InputError& error) {
                    CHECK(std::string(error.what()).starts_with(row.file()));
                    ++refused;
                }
            }
    CHECK(accepted > 1000);
    CHECK(refused > 1000);
}

TEST_CASE("an unknown model_type is refused with all that are known") {
    for (const char* type : {"mamba", "whisper", "t5", "rwkv"}) {
        const std::string message = refusal("yi-34b", {{"model_type", std::string("\"") + type + "\""}});
        INFO(message);
        CHECK(message.starts_with(folder + "yi-34b/config.json: /model_type: unknown model_type '" + type + "'"));
        for (const std::string& known : hugging_face_families().names())
            CHECK(message.find(known) != std::string::npos);
    }
}

TEST_CASE("plan answers for a config of every family") {
    for (const Row& row : rows()) {
        INFO(row.name);
        const auto plan =
            cli::run({"plan", "--model", row.file(), "--node", "h200-141gb-sxm-8", "--engine", "vllm-v1", "--users",
                      "50", "--workload", "chat", "--ttft", "3s", "--tpot", "100ms", "--format", "json"},
                     cli::shipped_data);
        INFO(plan.errors);
        CHECK((plan.code == 0 || plan.code == 3));
        CHECK(plan.out.find(row.name) != std::string::npos);
    }
}

TEST_CASE("a model by path on the command line") {
    const std::string file = folder + "yi-34b/config.json";
    const auto entry = cli::run({"show", file, "--entry"}, cli::shipped_data);
    CHECK(entry.code == 0);
    cli::TemporaryFolder own;
    own.write("mine.json", entry.out);
    // What was written is a model by path too, and the folder of a config stands for it.
    const auto derived = [](const std::string& path) {
        const auto shown = cli::run({"show", path, "--format", "json"}, cli::shipped_data);
        CHECK(shown.code == 0);
        CHECK(shown.out.find("34388917248") != std::string::npos);
    };
    derived(file);
    derived(folder + "yi-34b");
    derived(own.path() + "/mine.json");
    CHECK(cli::run({"check", file}, cli::shipped_data).code == 0);
    CHECK(cli::run({"explain", "--model", file, "--node", "h200-141gb-sxm-8", "--engine", "vllm-v1"}, cli::shipped_data)
              .code == 0);
    CHECK(cli::run({"show", own.path() + "/absent.json"}, cli::shipped_data).code == 4);
    own.write("config.json", R"({"model_type": "mamba", "hidden_size": 768})");
    for (const auto& arguments : {cli::words("show"), cli::words("check")}) {
        auto line = arguments;
        line.push_back(own.path() + "/config.json");
        const auto refused = cli::run(line, cli::shipped_data);
        CHECK(refused.code == 2);
        CHECK(refused.errors.find("unknown model_type 'mamba'") != std::string::npos);
    }
}

TEST_CASE("answers tell a model by path from the entry of that name, and their hash knows it") {
    Catalog catalog({"."});
    const std::string before = catalog.hash();
    const Transformer& entry = catalog.models.at("qwen3-8b", "test");
    const Transformer& imported = catalog.models.at(folder + "qwen3-8b", "test");
    CHECK(entry.name == "qwen3-8b");
    CHECK(imported.name == folder + "qwen3-8b/config.json");
    CHECK(&catalog.models.at(folder + "qwen3-8b/config.json", "test") == &imported);
    CHECK(catalog.hash() != before);
}
