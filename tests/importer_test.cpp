// Other tools' measurements: what is read of them, what is left out and why, and what is refused.
#include "calibrate/importer.hpp"

#include <fstream>
#include <sstream>

#include "calibrate/kernel_table.hpp"
#include "model/base/error.hpp"
#include "scenarios/measured_row.hpp"
#include "tests/catch.hpp"
#include "tests/library.hpp"

using namespace plimsoll;

namespace {

const std::string folder = "tests/data/importers/";
const std::vector<MeasuredKind> anything{MeasuredKind::kernels, MeasuredKind::serving, MeasuredKind::steps};

std::string content(const std::string& path) {
    std::ifstream stream(path, std::ios::binary);
    std::ostringstream text;
    text << stream.rdbuf();
    return text.str();
}

Imported read_text(const std::string& text, const GivenColumns& given = {}) {
    return import_text({"run", text}, {"", given}, anything);
}

Imported read_sample(const std::string& name, const GivenColumns& given = {}) {
    return import_file(folder + name, {"", given}, anything);
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
    const std::size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
}

const GivenColumns switched{{"topology", "nvswitch"}};
const GivenColumns served{{"gpu", "rtx4090"}, {"tp", "1"}, {"load", "fixed"}};

}  // namespace

TEST_CASE("importers: each sample looks like its own tool's output and no other's") {
    const std::vector<std::pair<std::string, std::string>> samples{{"nccl_all_reduce.txt", "nccl_tests"},
                                                                   {"nccl_sendrecv.txt", "nccl_tests"},
                                                                   {"llama_bench.md", "llama_bench"},
                                                                   {"llama_bench.jsonl", "llama_bench"},
                                                                   {"llama_batched_bench.md", "llama_batched_bench"},
                                                                   {"vllm_bench.jsonl", "vllm_bench"},
                                                                   {"aiconfigurator_runs.csv", "aiconfigurator_runs"}};
    for (const auto& [file, own] : samples)
        for (const auto& [name, importer] : importers()) {
            INFO(file << " " << name);
            CHECK((importer.likeness(content(folder + file)) == Likeness::sure) == (name == own));
        }
}

TEST_CASE("importers: both runs of each size of nccl-tests become a row of an all-reduce table") {
    const Imported imported = read_sample("nccl_all_reduce.txt", switched);
    CHECK(imported.left_out.empty());
    REQUIRE(imported.table.rows() == 30);
    CHECK(imported.table.text(0, "bytes") == "32768");
    CHECK(imported.table.text(0, "ranks") == "8");
    CHECK(imported.table.text(0, "dtype") == "fp32");
    // nccl-library=23004: 2, 30 and 4 (NCCL_VERSION_CODE).
    CHECK(imported.table.text(0, "library") == "nccl-2.30.4");
    CHECK(*imported.table.number(0, "seconds") == Approx(18.66e-6));
    CHECK(*imported.table.number(1, "seconds") == Approx(17.95e-6));
    CHECK(imported.table.place(0) == folder + "nccl_all_reduce.txt:18");
    const KernelTable kernels = read_kernel_table(imported.table, testing::library());
    REQUIRE(kernels.rows.size() == 15);
    CHECK(kernels.rows[0].group == KernelGroup{"all_reduce", "h20-96gb-sxm", "nccl-2.30.4", "nvswitch", "fp32", ""});
    CHECK(kernels.rows[0].seconds == Approx((18.66e-6 + 17.95e-6) / 2));
}

TEST_CASE("importers: rows of nccl-tests with wrong values or a disturbed run are left out and said") {
    const std::string text = content(folder + "nccl_all_reduce.txt");
    const Imported wrong = read_text(replaced(text, "66.11       0", "66.11     237"), switched);
    REQUIRE(wrong.left_out.size() == 1);
    CHECK(wrong.left_out[0] == "run:23: 237 wrong values");
    CHECK(wrong.table.rows() == 28);
    // 200 us are 5.24 GB/s for 1 MiB, and 9.18 on the bus of eight.
    const Imported disturbed = read_text(replaced(text, "27.76   37.78   66.11", "200.00    5.24    9.18"), switched);
    REQUIRE(disturbed.left_out.size() == 1);
    CHECK(disturbed.left_out[0] == "run:23: 200 us out of place and 27.49 us in place: one of them was disturbed");
    const Imported cut = read_text(replaced(text, "Avg bus bandwidth", "something else"), switched);
    REQUIRE(cut.left_out.size() == 1);
    CHECK(cut.left_out[0] == "run:18: no 'Avg bus bandwidth' ends this table: rows may be missing");
}

TEST_CASE("importers: older and tagged output of nccl-tests, binary prefixes and several hosts are read") {
    // As released in 2021: no root, the largest deviation instead of counts, one rank a host.
    const std::string old =
        "mpirun -np 2 ./build/all_reduce_perf -b 1M -e 1M -g 1\n"
        "# nThread 1 nGpus 1 minBytes 1048576 maxBytes 1048576 step: 2(factor) warmup iters: 5 iters: 20 validation: "
        "1\n"
        "#   Rank  0 Pid   1320 on first device  0 [0x00] Tesla V100-SXM2-16GB\n"
        "#   Rank  1 Pid   2066 on second device  0 [0x00] Tesla V100-SXM2-16GB\n"
        "NCCL version 2.8.4+cuda11.2\n"
        "#       size         count    type   redop     time   algbw   busbw  error     time   algbw   busbw  error\n"
        "[1,0]<stdout>:          1M          256K    half     sum   1000.0    1.05    1.05  2e-07   1000.0    1.05    "
        "1.05  2e-07\n"
        "# Avg bus bandwidth    : 1.05\n";
    // 256K values of half are 512 KiB, not 1 MiB.
    CHECK_THROWS_WITH(read_text(old, {{"topology", "ethernet"}}), ContainsSubstring("run:7"));
    const Imported imported = read_text(replaced(old, "256K", "512K"), {{"topology", "ethernet"}});
    REQUIRE(imported.table.rows() == 2);
    CHECK(imported.table.text(0, "bytes") == "1048576");
    CHECK(imported.table.text(0, "dtype") == "fp16");
    CHECK(imported.table.text(0, "topology") == "ethernet:2nodes");
    CHECK(imported.table.text(0, "library") == "nccl-2.8.4");
    CHECK(*imported.table.number(0, "seconds") == Approx(1e-3));
}

TEST_CASE("importers: alltoall_perf of nccl-tests gives all-to-alls, whose bus bandwidth leaves out the own part") {
    const auto text = [](const char* bus) {
        return std::string(
                   "# nThread 1 nGpus 2 minBytes 1048576 maxBytes 1048576 step: 2(factor) validation: 1\n"
                   "#  Rank  0 Pid   1000 on first device  0 [0x31] NVIDIA A40\n"
                   "#  Rank  1 Pid   1000 on first device  1 [0x32] NVIDIA A40\n"
                   "#       size         count      type   redop    root     time   algbw   busbw #wrong     "
                   "time   algbw   busbw #wrong\n"
                   "     1048576        262144     float    none      -1   100.00   10.49    ") +
               bus + "      0   100.00   10.49    " + bus +
               "    N/A\n# Avg bus bandwidth    : 5\n#\n# Collective test concluded: alltoall_perf\n";
    };
    // 10.49 GB/s, of which one of two parts stays: 5.24.
    const Imported imported = read_text(text("5.24"), {{"topology", "pcie4"}});
    REQUIRE(imported.table.rows() == 2);
    CHECK(imported.table.text(0, "collective") == "all_to_all");
    CHECK(imported.table.text(0, "bytes") == "1048576");
    CHECK_THROWS_WITH(read_text(text("10.49"), {{"topology", "pcie4"}}), ContainsSubstring("not (n - 1) / n"));
}

TEST_CASE("importers: of the collectives the fits use all-reduce and all-to-all alone, and say so") {
    const Imported imported = read_sample("nccl_sendrecv.txt");
    CHECK(imported.table.rows() == 0);
    REQUIRE(imported.left_out.size() == 1);
    CHECK(imported.left_out[0] == folder +
                                      "nccl_sendrecv.txt:10: 5 rows of sendrecv_perf: of the collectives the fits use "
                                      "all-reduce and all-to-all alone");
}

TEST_CASE("importers: a prompt of llama-bench is a prefill and its generation a decode step") {
    const Imported imported = read_sample("llama_bench.md", {{"model", "llama-2-7b"}});
    REQUIRE(imported.table.rows() == 4);
    CHECK(imported.table.text(0, "phase") == "prefill");
    CHECK(imported.table.text(0, "gpu") == "NVIDIA GeForce RTX 4090");
    CHECK(imported.table.text(0, "weights_dtype") == "fp16");
    // 512 tokens at 11048.22 a second, known to 269.74 / 11048.22 = 2.44 %.
    CHECK(*imported.table.number(0, "seconds") == Approx(0.0463423).epsilon(1e-5));
    CHECK(*imported.table.number(0, "deviation_s") == Approx(0.0463423 * 0.0244147).epsilon(1e-4));
    CHECK(imported.table.text(1, "phase") == "decode");
    CHECK(*imported.table.number(1, "seconds") == Approx(0.0163854).epsilon(1e-5));
    // The steps read 1, 2 ... 128 tokens.
    CHECK(*imported.table.number(1, "context_tokens") == 64.5);
    CHECK(imported.table.text(2, "weights_dtype") == "q8-0");
    REQUIRE(imported.left_out.size() == 1);
    CHECK_THAT(imported.left_out[0], ContainsSubstring("no dtype here stands for 'Q4_0'"));
    CHECK(read_sample("llama_bench.md", {{"weights_dtype", "q4-k-m"}}).table.rows() == 5);
}

TEST_CASE("importers: the forms of llama-bench say the same") {
    const std::string head = "| model | size | params | backend | ngl | n_ubatch | test | t/s |\n| --- | --- |\n";
    const auto row = [](const std::string& test, const std::string& rate) {
        return "| qwen2 7B Q4_K - Medium | 4.36 GiB | 7.62 B | CUDA | -1 | 256 | " + test + " | " + rate + " |\n";
    };
    const Imported markdown =
        read_text(head + row("pp512 @ d1024", "7100.00 \xC2\xB1 140.34") + row("tg128", "118.88 \xC2\xB1 1.04"),
                  {{"gpu", "NVIDIA GeForce RTX 4080"}});
    const std::string columns =
        "build_commit,gpu_info,model_type,n_ubatch,n_gpu_layers,n_prompt,n_gen,n_depth,avg_ts,stddev_ts\n";
    const std::string cells = "\"8cf4\",\"NVIDIA GeForce RTX 4080\",\"qwen2 7B Q4_K - Medium\",\"256\",\"-1\",";
    const Imported csv = read_text(columns + cells + "\"512\",\"0\",\"1024\",\"7100.00\",\"140.34\"\n" + cells +
                                   "\"0\",\"128\",\"0\",\"118.88\",\"1.04\"\n");
    const std::string object = R"({"gpu_info": "NVIDIA GeForce RTX 4080", "model_type": "qwen2 7B Q4_K - Medium",
        "n_ubatch": 256, "n_gpu_layers": -1, )";
    const std::string first =
        object + R"("n_prompt": 512, "n_gen": 0, "n_depth": 1024, "avg_ts": 7100.00, "stddev_ts": 140.34})";
    const std::string second =
        object + R"("n_prompt": 0, "n_gen": 128, "n_depth": 0, "avg_ts": 118.88, "stddev_ts": 1.04})";
    const Imported json = read_text("[\n" + first + ",\n" + second + "\n]\n");
    for (const Imported* other : {&csv, &json}) {
        REQUIRE(other->table.rows() == markdown.table.rows());
        for (std::size_t i = 0; i < markdown.table.rows(); ++i)
            for (const std::string& column : markdown.table.columns()) {
                INFO(i << " " << column);
                CHECK(other->table.text(i, column) == markdown.table.text(i, column));
            }
    }
    CHECK(markdown.table.text(0, "context_tokens") == "1024");
    CHECK(markdown.table.text(0, "chunk_tokens") == "256");
    CHECK(read_text(head + row("pp512+tg128", "900.0")).left_out[0] ==
          "run:3: prompt and generation in one time (-pg) tell neither");
}

TEST_CASE("importers: a row of llama-batched-bench is a prefill of B prompts and a decode step of B sequences") {
    const GivenColumns given{{"model", "llama-2-7b"}, {"gpu", "m2-ultra-192gb-socket"}, {"weights_dtype", "fp16"}};
    const Imported imported = read_sample("llama_batched_bench.md", given);
    REQUIRE(imported.table.rows() == 8);
    CHECK(imported.table.text(4, "batch") == "4");
    CHECK(imported.table.text(4, "prompt_tokens") == "512");
    CHECK(imported.table.text(4, "chunk_tokens") == "2048");
    CHECK(*imported.table.number(4, "seconds") == 1.248);
    CHECK(imported.table.text(5, "phase") == "decode");
    CHECK(imported.table.text(5, "batch") == "4");
    // 32 steps in 0.570 s, reading 513, 514 ... 544 tokens of each.
    CHECK(*imported.table.number(5, "seconds") == Approx(0.0178125));
    CHECK(*imported.table.number(5, "context_tokens") == 528.5);
    // One prompt for four sequences: 512 tokens in 0.337 s.
    const Imported shared = read_text(
        R"({"n_kv_max": 2048, "n_ubatch": 512, "is_pp_shared": 1, "pp": 512, "tg": 32, "pl": 4, "t_pp": 0.337, )"
        R"("speed_pp": 1519.29, "t_tg": 0.570, "speed_tg": 224.56})",
        given);
    CHECK(shared.table.text(0, "batch") == "1");
    CHECK(shared.table.text(1, "batch") == "4");
}

TEST_CASE("importers: a run of vllm bench with a fixed concurrency is a row of serving measurements") {
    const Imported imported = read_sample("vllm_bench.jsonl", served);
    REQUIRE(imported.table.rows() == 5);
    CHECK(imported.table.text(0, "model") == "mistralai/Mistral-7B-Instruct-v0.3");
    CHECK(*imported.table.number(0, "prompt_tokens") == 256);
    // 30144 tokens of 300 answers.
    CHECK(*imported.table.number(0, "output_tokens") == Approx(100.48));
    CHECK(*imported.table.number(0, "users") == 4);
    CHECK(*imported.table.number(0, "requests") == 300);
    CHECK(*imported.table.number(0, "ttft_s") == Approx(0.063));
    CHECK(*imported.table.number(0, "tpot_s") == Approx(0.01861));
    CHECK(imported.table.place(1) == folder + "vllm_bench.jsonl:2");
    imported.table.require(validated_table_columns());
}

TEST_CASE("importers: runs of AIConfigurator's table bring their engine and weights along, or the reason why not") {
    const Imported imported = read_sample("aiconfigurator_runs.csv");
    REQUIRE(imported.table.rows() == 2);
    CHECK(imported.table.text(0, "model") == "Qwen/Qwen3-32B");
    CHECK(imported.table.text(0, "gpu") == "h100-sxm");
    CHECK(imported.table.text(0, "engine") == "vllm-v1");
    CHECK(imported.table.text(1, "engine") == "sglang");
    CHECK(imported.table.text(0, "weights") == "bf16");
    CHECK(*imported.table.number(0, "users") == 16);
    CHECK(*imported.table.number(0, "requests") == 160);
    CHECK(*imported.table.number(0, "ttft_s") == Approx(0.14936));
    CHECK(*imported.table.number(0, "tpot_s") == Approx(0.014347));
    CHECK(imported.table.place(1) == folder + "aiconfigurator_runs.csv:3");
    imported.table.require(validated_table_columns());
    REQUIRE(imported.left_out.size() == 4);
    CHECK_THAT(imported.left_out[0], ContainsSubstring(":4: what weights 'fp4' are is not said"));
    CHECK_THAT(imported.left_out[1], ContainsSubstring(":5: several groups of attention ranks"));
    CHECK_THAT(imported.left_out[2], ContainsSubstring(":6: prefill and decode apart"));
    CHECK_THAT(imported.left_out[3], ContainsSubstring(":7: how many requests were under way is not said"));
    // The weights of rows that state a precision; 0.14 and later compose a step ahead.
    const Imported given = read_sample("aiconfigurator_runs.csv", {{"weights", "mxfp4"}});
    REQUIRE(given.table.rows() == 3);
    CHECK(given.table.text(0, "weights") == "bf16");
    CHECK(given.table.text(2, "weights") == "mxfp4");
    CHECK(given.table.text(2, "engine") == "vllm-v1-async");
}

TEST_CASE("importers: runs of vllm bench that are no closed loop, or failed, are left out and said") {
    const std::string text = content(folder + "vllm_bench.jsonl");
    const std::string run = text.substr(0, text.find('\n'));
    const auto why = [&](const std::string& from, const std::string& to) {
        const Imported imported = read_text(replaced(run, from, to), served);
        CHECK(imported.table.rows() == 0);
        return imported.left_out.at(0);
    };
    CHECK_THAT(why("\"inf\"", "4.0"), ContainsSubstring("sent at 4 requests/s"));
    CHECK_THAT(why("\"max_concurrency\": 4", "\"max_concurrency\": null"),
               ContainsSubstring("all requests were sent at once"));
    CHECK_THAT(why("\"failed\": 0", "\"failed\": 3"), ContainsSubstring("3 of 303 requests failed"));
    CHECK_THAT(why("\"num_prompts\": 300", "\"num_prompts\": 320"), ContainsSubstring("300 of 320 requests"));
    // --metadata puts its keys beside the others.
    const Imported tagged = read_text(
        replaced(run, "{", "{\"gpu\": \"a100-40gb-sxm\", \"tensor_parallel_size\": \"2\", "), {{"load", "fixed"}});
    CHECK(tagged.table.text(0, "gpu") == "a100-40gb-sxm");
    CHECK(tagged.table.text(0, "tp") == "2");
}

TEST_CASE("importers: what is given beside a file, and what a file is asked for, must fit") {
    CHECK_THROWS_WITH(read_sample("nccl_all_reduce.txt"), ContainsSubstring("does not say the topology"));
    CHECK_THROWS_WITH(read_sample("nccl_all_reduce.txt", {{"topolgy", "nvswitch"}}),
                      ContainsSubstring("did you mean 'topology'?"));
    CHECK_THROWS_WITH(import_file(folder + "vllm_bench.jsonl", {}, {MeasuredKind::kernels}),
                      ContainsSubstring("vllm_bench gives serving runs; kernels are needed here"));
    CHECK_THROWS_WITH(import_file("tests/cli/kernels/gemm.csv", {}, {MeasuredKind::serving}),
                      ContainsSubstring("its columns are of kernels"));
    CHECK_THROWS_WITH(import_file(folder + "llama_bench.md", {"nccl_test", {}}, anything),
                      ContainsSubstring("did you mean 'nccl_tests'?"));
    CHECK_THROWS_WITH(parse_given_columns({"gpu"}), ContainsSubstring("is not NAME=VALUE"));
    CHECK_THROWS_WITH(parse_given_columns({"gpu=a", "gpu=b"}), ContainsSubstring("given twice"));
}

TEST_CASE("importers: a file cut or spoilt anywhere is read or refused by its place") {
    const auto survives = [](const std::string& text) {
        std::string end = "run: read";
        try {
            static_cast<void>(read_text(text));
        } catch (const InputError& error) {
            end = error.what();
        }
        CHECK(end.starts_with("run"));
    };
    for (const char* name :
         {"nccl_all_reduce.txt", "llama_bench.md", "llama_bench.jsonl", "llama_batched_bench.md", "vllm_bench.jsonl"}) {
        const std::string text = content(folder + name);
        for (std::size_t at = 0; at < text.size(); at += 41) {
            INFO(name << " " << at);
            survives(text.substr(0, at));
            for (const char c : {'9', '|', ' ', '-', '\n', '"'}) {
                std::string spoilt = text;
                spoilt[at] = c;
                survives(spoilt);
            }
        }
    }
}

// Columns: file, given columns separated by blanks, message; one that ends in " ..." is a beginning.
TEST_CASE("bad input: every file of another tool in the table is refused with its message") {
    std::istringstream table(content("tests/bad_input/importers.tsv"));
    int rows = 0;
    for (std::string line; std::getline(table, line);) {
        if (line.empty() || line[0] == '#') continue;
        ++rows;
        std::istringstream cells(line);
        std::string file, given_text, expected, message = "it was read";
        std::getline(cells, file, '\t');
        std::getline(cells, given_text, '\t');
        std::getline(cells, expected, '\t');
        std::istringstream words(given_text);
        std::vector<std::string> given;
        for (std::string word; words >> word;)
            if (word != "-") given.push_back(word);
        try {
            static_cast<void>(
                import_file("tests/bad_input/importers/" + file, {"", parse_given_columns(given)}, anything));
        } catch (const InputError& error) {
            message = error.what();
        }
        INFO(file << "\nmessage:  " << message << "\nexpected: " << expected);
        const bool open = expected.ends_with(" ...");
        CHECK((open ? message.starts_with(expected.substr(0, expected.size() - 4)) : message == expected));
    }
    CHECK(rows >= 24);
}
