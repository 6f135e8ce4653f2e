// The shipped data loads, answers to its names, and refuses what is not what it says.
#include "model/spec/catalog.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include <unistd.h>

#include "model/base/error.hpp"
#include "model/cost/architecture.hpp"
#include "tests/catch.hpp"
#include "tests/library.hpp"

using namespace plimsoll;
namespace fs = std::filesystem;

namespace {

std::string text_of(const std::string& path) {
    std::ifstream stream(path);
    return {std::istreambuf_iterator<char>(stream), {}};
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
    const std::size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
}

std::set<std::string> files_below(const std::string& folder) {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(fs::path(PLIMSOLL_SOURCE_DIR) / folder))
        names.insert(entry.path().stem().string());
    return names;
}

template <class Entry>
void check_shelf(Shelf<Entry>& shelf, const std::string& folder, const std::string& sources = "sources") {
    const std::vector<std::string> names = shelf.names();
    CHECK(std::set<std::string>(names.begin(), names.end()) == files_below(folder));
    CHECK(names.size() >= 2);
    for (const std::string& name : names) {
        INFO(name);
        const Entry& entry = shelf.at(name, "test");
        CHECK(entry.name == name);
        CHECK(&shelf.at(name, "test") == &entry);
        CHECK(!Fields::from_file(shelf.path(name)).json(sources).empty());
        for (const std::string& alias : entry.aliases) {
            INFO(alias);
            const auto found = shelf.candidates(alias);
            CHECK(std::find(found.begin(), found.end(), &entry) != found.end());
        }
    }
}

/// A data directory of its own that goes away with the test.
struct Folder {
    fs::path path = fs::temp_directory_path() / ("plimsoll-catalog-" + std::to_string(::getpid()));
    Folder() { fs::create_directories(path); }
    ~Folder() { fs::remove_all(path); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    void write(const std::string& file, const std::string& text) const {
        fs::create_directories((path / file).parent_path());
        std::ofstream(path / file) << text;
    }
};

}  // namespace

TEST_CASE("every data file loads under its name, with sources") {
    Catalog catalog({PLIMSOLL_SOURCE_DIR});
    check_shelf(catalog.gpus, "hardware_db/gpus");
    check_shelf(catalog.classes, "hardware_db/classes");
    check_shelf(catalog.links, "hardware_db/links");
    check_shelf(catalog.nodes, "hardware_db/nodes");
    check_shelf(catalog.models, "scenarios/library/models");
    check_shelf(catalog.engines, "scenarios/library/engines");
    check_shelf(catalog.workloads, "scenarios/library/workloads");
    check_shelf(catalog.profiles, "hardware_db/profiles", "source");
    for (const std::string& name : catalog.models.names()) CHECK_NOTHROW(Architecture(catalog.models.at(name, "test")));
    for (const std::string& name : catalog.nodes.names()) {
        const Node& node = catalog.nodes.at(name, "test");
        INFO(name);
        CHECK(catalog.gpus.at(node.gpu, "test").name == node.gpu);
        CHECK(node.pcie.name == node.pcie_link_name);
        CHECK(node.pcie.effective.value > BytesPerSecond(0));
    }
}

TEST_CASE("aliases are found whatever their case, and refused where they are several") {
    Catalog catalog({PLIMSOLL_SOURCE_DIR});
    CHECK(catalog.gpus.at("A100-SXM4-40GB", "test").name == "a100-40gb-sxm");
    CHECK(catalog.gpus.at("a100-sxm4-40gb", "test").name == "a100-40gb-sxm");
    CHECK(catalog.models.at("meta-llama/Llama-2-7b-hf", "test").name == "llama-2-7b");
    CHECK_THROWS_WITH(
        catalog.gpus.at("A100", "--gpu"),
        "--gpu: 'A100' may mean any GPU of: a100-40gb-pcie, a100-40gb-sxm, a100-80gb-pcie, a100-80gb-sxm");
    CHECK(catalog.gpus.candidates("A100").size() == 4);
    CHECK_THROWS_WITH(catalog.gpus.at("a30-24gb-pci", "--gpu"),
                      ContainsSubstring("--gpu: unknown GPU 'a30-24gb-pci'; did you mean 'a30-24gb-pcie'?"));
    CHECK(catalog.gpus.candidates("no such card").empty());
}

TEST_CASE("a unit of another dimension is refused in every field of a GPU") {
    Catalog catalog({PLIMSOLL_SOURCE_DIR});
    const std::string text = text_of(catalog.gpus.path("a100-40gb-sxm"));
    REQUIRE_NOTHROW(read_gpu(Fields::from_text(text, "gpu.json")));
    struct Flip {
        const char* right;
        const char* wrong;
        const char* pointer;
    };
    const Flip flips[] = {{"\"40 GiB\", \"usable", "\"40 GB/s\", \"usable", "/memory/capacity"},
                          {"40441 MiB", "40441 MHz", "/memory/usable"},
                          {"1555 GB/s", "1555 GB", "/memory/bandwidth"},
                          {"\"l2\": \"40 MiB\"", "\"l2\": \"40 W\"", "/memory/l2"},
                          {"1410 MHz", "1410 us", "/multiprocessor_clock"},
                          {"400 W", "400 J", "/power"},
                          {"19.5 TFLOP/s", "19.5 TFLOP", "/peak/fp32"},
                          {"\"fp16\": \"312 TFLOP/s", "\"fp16\": \"312 TB/s", "/peak/fp16"},
                          {"624 TOP/s", "624 /s", "/peak/int8"},
                          {"15000 USD", "15000 USD/h", "/price/list"},
                          {"1.29 USD/h", "1.29 USD", "/price/rental"}};
    for (const Flip& flip : flips) {
        INFO(flip.wrong);
        const Fields fields = Fields::from_text(replaced(text, flip.right, flip.wrong), "gpu.json");
        CHECK_THROWS_WITH(read_gpu(fields), ContainsSubstring(std::string("gpu.json: ") + flip.pointer + ": "));
    }
    // Without a unit, negative, or far from anything: refused as well.
    for (const char* wrong : {"1555", "-1555 GB/s", "1555 kB/s", "nan GB/s", "1e400 GB/s", "1555 GB/s +- x"}) {
        INFO(wrong);
        CHECK_THROWS_AS(read_gpu(Fields::from_text(replaced(text, "1555 GB/s", wrong), "gpu.json")), InputError);
    }
}

TEST_CASE("constants carry deviation and origin") {
    Catalog catalog({PLIMSOLL_SOURCE_DIR});
    const std::string text = text_of(catalog.classes.path("ada"));
    const std::string found = Fields::from_text(text, "ada.json").object("gemm").string("compute_efficiency");
    const auto read = [&](const char* efficiency) {
        return read_efficiency_class(Fields::from_text(replaced(text, found, efficiency), "ada.json"));
    };
    CHECK(read("0.6 +- 0.25").gemm.compute_efficiency.value == 0.6);
    CHECK(read("0.6 +- 0.25").gemm.compute_efficiency.standard_deviation == 0.25);
    CHECK(read("0.6").gemm.compute_efficiency.standard_deviation == 0);
    CHECK(read("0.6").gemm.compute_efficiency.origin == Origin::estimated);
    CHECK_THROWS_WITH(read("0.6 +- -0.1"), ContainsSubstring("/gemm/compute_efficiency: a standard deviation below"));
    CHECK_THROWS_AS(read("0.6 +- "), InputError);
    CHECK_THROWS_AS(read("1.2"), InputError);
    const Fields unsourced =
        Fields::from_text(replaced(text, "\"gemm\": \"estimated", "\"elsewhere\": \"estimated"), "ada.json");
    CHECK_THROWS_WITH(read_efficiency_class(unsourced), ContainsSubstring("no source for 'gemm.compute_efficiency'"));
}

TEST_CASE("efficiencies are fractions with a spread") {
    Catalog catalog({PLIMSOLL_SOURCE_DIR});
    for (const std::string& name : catalog.classes.names()) {
        const EfficiencyClass& c = catalog.classes.at(name, "test");
        for (const Sourced<double>& value :
             {c.gemm.compute_efficiency, c.gemm.memory_efficiency, c.prefill_attention.compute_efficiency,
              c.prefill_attention.memory_efficiency, c.decode_attention.memory_efficiency,
              c.decode_attention.compute_efficiency, c.elementwise.memory_efficiency}) {
            INFO(name);
            CHECK(value.value > 0);
            CHECK(value.value <= 1);
            CHECK(value.standard_deviation > 0);
        }
    }
}

TEST_CASE("nodes that make no sense are refused") {
    Catalog catalog({PLIMSOLL_SOURCE_DIR});
    const std::string text = text_of(catalog.nodes.path("a40-48gb-pcie-8"));
    const auto read = [&](const std::string& from, const std::string& to) {
        static_cast<void>(read_node(Fields::from_text(replaced(text, from, to), "node.json")));
    };
    CHECK_THROWS_WITH(read("[0, 1, 2, 7]", "[0, 1, 2]"),
                      ContainsSubstring("/sockets: every GPU belongs to one socket"));
    CHECK_THROWS_WITH(read("[0, 1, 2, 7]", "[0, 1, 2, 3]"), ContainsSubstring("/sockets: GPU 3 stands twice"));
    CHECK_THROWS_WITH(read("\"gpus\": [0, 1]", "\"gpus\": [0, 0]"), ContainsSubstring("expected two different GPUs"));
    CHECK_THROWS_WITH(read("\"kind\": \"bridge\"", "\"kind\": \"brige\""), ContainsSubstring("bridge"));
    CHECK_THROWS_WITH(read("\"ranks\": 4", "\"ranks\": 2"), ContainsSubstring("/ranks: stands twice"));
    CHECK_THROWS_AS(read("\"ranks\": 4", "\"ranks\": 16"), InputError);
    CHECK_THROWS_WITH(read("\"gpus\": 8", "\"gpus\": 17"), ContainsSubstring("node.json: "));
}

TEST_CASE("a collective is as good as the weaker of its two numbers") {
    Catalog catalog({PLIMSOLL_SOURCE_DIR});
    // Bandwidths fitted, latencies estimated.
    for (const CollectiveCurve& curve : catalog.nodes.at("v100-32gb-sxm2-8", "test").collectives)
        CHECK(curve.origin == Origin::estimated);
    for (const CollectiveCurve& curve : catalog.nodes.at("a100-80gb-sxm-8", "test").collectives)
        CHECK(curve.origin == Origin::measured_elsewhere);
}

TEST_CASE("a later directory wins, adds, and is checked") {
    const Folder folder;
    Catalog shipped({PLIMSOLL_SOURCE_DIR});
    const std::string a30 = text_of(shipped.gpus.path("a30-24gb-pcie"));
    folder.write("hardware_db/gpus/a30-24gb-pcie.json", replaced(a30, "933 GB/s", "900 GB/s"));
    folder.write("hardware_db/gpus/a31.json", replaced(a30, "\"name\": \"a30-24gb-pcie\"", "\"name\": \"a31\""));
    Catalog catalog({PLIMSOLL_SOURCE_DIR, folder.path.string()});
    CHECK(catalog.gpus.at("a30-24gb-pcie", "test").memory_bandwidth.value.value() == 900e9);
    CHECK(catalog.gpus.at("a31", "test").multiprocessors == 56);
    CHECK(catalog.gpus.candidates("NVIDIA A30").size() == 2);
    CHECK(catalog.hash() != shipped.hash());
    CHECK(shipped.hash() == Catalog({PLIMSOLL_SOURCE_DIR}).hash());
    CHECK(shipped.hash().size() == 16);

    folder.write("hardware_db/gpus/a32.json", replaced(a30, "\"name\": \"a30-24gb-pcie\"", "\"name\": \"a33\""));
    folder.write("hardware_db/gpus/a34.json",
                 replaced(replaced(a30, "\"name\": \"a30-24gb-pcie\"", "\"name\": \"a34\""), "\"ampere-a30\"",
                          "\"ampere-a31\""));
    Catalog broken({PLIMSOLL_SOURCE_DIR, folder.path.string()});
    CHECK_THROWS_WITH(broken.gpus.at("a32", "test"), ContainsSubstring("/name: expected 'a32', the name of the file"));
    CHECK_THROWS_WITH(broken.gpus.at("a34", "test"),
                      ContainsSubstring("/efficiency_class: unknown efficiency class 'ampere-a31'; did you mean"));
}

TEST_CASE("what a GPU multiplies") {
    Catalog catalog({PLIMSOLL_SOURCE_DIR});
    const Gpu& v100 = catalog.gpus.at("v100-32gb-sxm2", "test");
    CHECK(v100.supports(Dtype::fp16));
    CHECK(!v100.supports(Dtype::bf16));
    CHECK(!v100.supports(Dtype::fp8));
    CHECK(v100.supports(Dtype::awq_int4));  // expanded to fp16 first
    CHECK(catalog.gpus.at("h100-80gb-sxm", "test").supports(Dtype::fp8));
}

TEST_CASE("dtypes are read by name") {
    for (const std::string_view name : dtype_names) CHECK(to_string(parse_dtype(name, "test")) == name);
    CHECK_THROWS_WITH(parse_dtype("fp61", "--weights"),
                      ContainsSubstring("--weights: unknown dtype 'fp61'; did you mean"));
}

TEST_CASE("an engine's limits go by the GPU's memory where its defaults do") {
    Catalog catalog({PLIMSOLL_SOURCE_DIR});
    const auto on = [&](const char* engine, const char* gpu) -> const Engine& {
        return catalog.engine_on(catalog.engines.at(engine, "test"), catalog.gpus.at(gpu, "test"));
    };
    // vLLM looks for 70 GiB and for the name of an A100.
    CHECK(on("vllm-v1", "h100-80gb-sxm").max_step_tokens == 8192);
    CHECK(on("vllm-v1", "h100-80gb-sxm").max_sequences == 1024);
    CHECK(on("vllm-v1", "a100-80gb-sxm").max_step_tokens == 2048);
    CHECK(on("vllm-v1", "l40s-48gb-pcie").max_sequences == 256);
    // SGLang's chunks and graphs grow with the memory; what an entry does not name stays.
    CHECK(on("sglang", "rtx4090-24gb-pcie").max_prefill_tokens == 2048);
    CHECK(on("sglang", "rtx4090-24gb-pcie").host.graph_batch == 24);
    CHECK(on("sglang", "a40-48gb-pcie").max_prefill_tokens == 4096);
    CHECK(on("sglang", "a40-48gb-pcie").memory_fraction.value == 0.85);
    CHECK(on("sglang", "b200-180gb-sxm").max_prefill_tokens == 16384);
    CHECK(on("sglang", "b200-180gb-sxm").host.graph_batch == 256);
    // One object for each GPU, and the engine itself where nothing changes by memory.
    CHECK(&on("vllm-v1", "h100-80gb-sxm") == &on("vllm-v1", "h100-80gb-sxm"));
    CHECK(&on("tgi-3", "h100-80gb-sxm") == &catalog.engines.at("tgi-3", "test"));
}
