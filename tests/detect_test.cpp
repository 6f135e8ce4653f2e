// Machines as their tools print them: what is read, and what is made of it. The machines are those of
// tests/recorded/machines; expected values are read off their README and files by eye.
#include <filesystem>
#include <fstream>
#include <iterator>

#include <unistd.h>

#include "detect/describe.hpp"
#include "detect/wiring.hpp"
#include "detect/xml.hpp"
#include "model/base/error.hpp"
#include "tests/catch.hpp"
#include "tests/cli_run.hpp"
#include "tests/library.hpp"

using namespace plimsoll;
namespace fs = std::filesystem;

namespace {

const std::string recorded = "tests/recorded/machines/";

std::string text_of(const fs::path& path) {
    std::ifstream stream(path);
    return {std::istreambuf_iterator<char>(stream), {}};
}

ToolOutputs outputs_of(const std::string& machine) {
    ToolOutputs outputs;
    for (const auto& file : fs::directory_iterator(fs::path(PLIMSOLL_SOURCE_DIR) / recorded / machine))
        outputs[file.path().filename().string()] = text_of(file.path());
    return outputs;
}

Machine machine_of(const std::string& name) {
    return read_machine(outputs_of(name), name);
}

/// The node that a recorded machine becomes.
Node node_of(const std::string& name) {
    const Description description = describe(machine_of(name), testing::library(), "node", "a test");
    return read_node(Fields::from_text(description.files.at("hardware_db/nodes/node.json"), "node.json"));
}

using Groups = std::vector<std::vector<int>>;

/// A data directory that goes away with the test.
struct Folder {
    fs::path path = fs::temp_directory_path() / ("plimsoll-detect-" + std::to_string(::getpid()));
    Folder() { fs::create_directories(path); }
    ~Folder() { fs::remove_all(path); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    [[nodiscard]] std::string in(const std::string& file) const { return (path / file).string(); }
};

}  // namespace

TEST_CASE("A DGX A100 is eight GPUs behind switches on two sockets") {
    const Machine machine = machine_of("dgx-a100");
    CHECK(machine.accelerators.gpus.size() == 8);
    CHECK(machine.accelerators.gpus[0].product == "NVIDIA A100-SXM4-40GB");
    CHECK(machine.accelerators.gpus[7].bus_id == "00000000:BD:00.0");
    CHECK(machine.accelerators.gpus[0].memory == Bytes(40960 * 1048576.0));
    CHECK(machine.accelerators.gpus[0].power_limit == Watts(400));
    CHECK(machine.topology->nvlinks(0, 7) == 12);
    CHECK(machine.topology->gpu_to_nic[6][8] == "PXB");
    CHECK(machine.topology->numa[4] == 7);
    CHECK(machine.nics.size() == 10);
    const Node node = node_of("dgx-a100");
    CHECK(node.gpu == "a100-40gb-sxm");
    CHECK(node.gpus == 8);
    // NUMA nodes 3 and 1 are the first socket's, 7 and 5 the second's.
    CHECK(node.sockets == Groups{{0, 1, 2, 3}, {4, 5, 6, 7}});
    CHECK(node.socket_link_name == "xgmi-epyc");
    // Two GPUs see the same adapters over bridges alone.
    CHECK(node.pcie_switches == Groups{{0, 1}, {2, 3}, {4, 5}, {6, 7}});
    CHECK(node.pcie_link_name == "pcie-4-x16");
    CHECK(node.nvlink == NvlinkKind::nvswitch);
    CHECK(node.nvlink_links_per_gpu == 12);
    CHECK(node.nvlink_link_name == "nvlink-3");
    CHECK(node.nic_link_name == "infiniband-hdr");
    CHECK(node.nics == 8);
    CHECK_FALSE(node.collectives.empty());
}

TEST_CASE("Eight V100 in a mesh are joined as the shipped node says") {
    const Node node = node_of("v100-mesh");
    const Node& shipped = testing::library().nodes.at("v100-32gb-sxm2-8", "test");
    CHECK(node.gpu == shipped.gpu);
    CHECK(node.nvlink == NvlinkKind::mesh);
    CHECK(node.nvlink_link_name == "nvlink-2");
    REQUIRE(node.nvlink_pairs.size() == shipped.nvlink_pairs.size());
    for (std::size_t i = 0; i < node.nvlink_pairs.size(); ++i) {
        CHECK(node.nvlink_pairs[i].first == shipped.nvlink_pairs[i].first);
        CHECK(node.nvlink_pairs[i].second == shipped.nvlink_pairs[i].second);
        CHECK(node.nvlink_pairs[i].links == shipped.nvlink_pairs[i].links);
    }
    CHECK(node.sockets == Groups{{0, 1, 2, 3}, {4, 5, 6, 7}});
    CHECK(node.socket_link_name == "qpi-broadwell");
    CHECK(node.pcie_switches == Groups{{0, 1}, {2, 3}, {4, 5}, {6, 7}});
    CHECK(node.pcie_link_name == "pcie-3-x16");
}

TEST_CASE("Four A40 are two bridged pairs, a desktop has one card") {
    const Node node = node_of("a40-bridges");
    CHECK(node.gpu == "a40-48gb-pcie");
    CHECK(node.nvlink == NvlinkKind::bridge);
    REQUIRE(node.nvlink_pairs.size() == 2);
    CHECK(node.nvlink_pairs[1].first == 2);
    CHECK(node.nvlink_pairs[1].second == 3);
    CHECK(node.nvlink_pairs[1].links == 4);
    CHECK(node.sockets == Groups{{0, 1}, {2, 3}});
    CHECK(node.pcie_switches.empty());
    const Node desktop = node_of("rtx4090");
    CHECK(desktop.gpu == "rtx4090-24gb-pcie");
    CHECK(desktop.nvlink == NvlinkKind::none);
    CHECK(desktop.sockets == Groups{{0}});
    CHECK_FALSE(desktop.peer_to_peer);
}

TEST_CASE("Links to all others are a switch where one GPU could not have so many") {
    const auto kind = [](std::size_t gpus, const std::string& relation, bool modules) {
        Machine machine;
        machine.topology.emplace();
        machine.topology->gpu_to_gpu.assign(gpus, std::vector<std::string>(gpus, relation));
        machine.topology->gpu_to_nic.resize(gpus);
        machine.topology->numa.assign(gpus, 0);
        return wiring_of(machine, modules).nvlink;
    };
    CHECK(kind(4, "NV6", true) == NvlinkKind::mesh);       // 18 links of an H100 over three neighbours
    CHECK(kind(8, "NV18", true) == NvlinkKind::nvswitch);  // 126 links each would be needed
    CHECK(kind(2, "NV18", true) == NvlinkKind::nvswitch);  // two modules of a board, as clouds lend them
    CHECK(kind(2, "NV12", false) == NvlinkKind::bridge);
    CHECK(kind(4, "PHB", false) == NvlinkKind::none);
}

TEST_CASE("What is detected passes the check and is planned with") {
    const std::string machine = GENERATE("dgx-a100", "v100-mesh", "a40-bridges", "rtx4090", "cpu-only");
    CAPTURE(machine);
    const Folder folder;
    const cli::Result detected = cli::run(
        {"detect", "--from", recorded + machine, "--name", "found", "--output-data", folder.path.string()}, ".");
    INFO(detected.errors);
    REQUIRE(detected.code == 0);
    const std::string node = folder.in("hardware_db/nodes/found.json");
    const cli::Result checked = cli::run({"check", node, "--data", folder.path.string()}, ".");
    INFO(checked.errors);
    CHECK(checked.code == 0);
    const cli::Result planned = cli::run(
        {"plan", "--data", folder.path.string(), "--node", "found", "--model", "llama-3.2-1b", "--engine", "vllm-v1",
         "--weights", "fp32,fp16", "--users", "20", "--workload", "chat", "--ttft", "20s", "--referee", "none"},
        ".");
    INFO(planned.errors);
    CHECK(planned.code == 0);
    CHECK_THAT(planned.out, ContainsSubstring("found"));
}

TEST_CASE("A host without GPUs is its sockets") {
    const Description description = describe(machine_of("cpu-only"), testing::library(), "", "a test");
    CHECK(description.gpu == "amd-epyc-7713-detected-socket");
    CHECK(description.node == "amd-epyc-7713-detected-socket-2");
    const Gpu socket =
        read_gpu(Fields::from_text(description.files.at("hardware_db/gpus/" + description.gpu + ".json"), "gpu.json"));
    // Half of 503 GiB, 64 cores x 3.7207029 GHz x 0.75 x 32 flop, half of 512 MiB of cache.
    CHECK(socket.memory.value() == Approx(503.0 / 2 * 1073741824.0));
    CHECK(socket.peak_of(Dtype::fp32).value.value() == Approx(64 * 3.7207029e9 * 0.75 * 32).epsilon(1e-4));
    CHECK(socket.peak_of(Dtype::fp32).origin == Origin::estimated);
    CHECK(socket.l2.value() == Approx(256.0 * 1048576));
    CHECK(socket.usable_memory.origin == Origin::measured_here);
}

TEST_CASE("A GPU that no file knows is written down as far as it is known, and refused until filled in") {
    const Folder folder;
    const cli::Result detected =
        cli::run({"detect", "--from", recorded + "unknown-gpu", "--output-data", folder.path.string()}, ".");
    REQUIRE(detected.code == 0);
    CHECK_THAT(detected.out, ContainsSubstring("memory.bandwidth"));
    const std::string file = folder.in("hardware_db/gpus/nvidia-rtx-pro-9000-imaginary-edition.json");
    const std::string text = text_of(file);
    CHECK_THAT(text, ContainsSubstring("97887 MiB"));
    CHECK_THAT(text, ContainsSubstring("\"power\": \"600 W\""));
    const cli::Result checked = cli::run({"check", file}, ".");
    CHECK(checked.code == 2);
    CHECK_THAT(checked.errors, ContainsSubstring("/memory/bandwidth"));
}

TEST_CASE("Outputs that are not whole are refused with their place") {
    const auto refused = [](const std::string& machine, std::string_view file, const auto& change) {
        ToolOutputs outputs = outputs_of(machine);
        change(outputs[std::string(file)]);
        try {
            static_cast<void>(describe(read_machine(outputs, "m"), testing::library(), "", "a test"));
        } catch (const InputError& error) {
            return std::string(error.what());
        }
        return std::string("nothing");
    };
    const auto cut = [](std::size_t size) { return [=](std::string& text) { text.resize(size); }; };
    const auto swap = [](const std::string& from, const std::string& to) {
        return [=](std::string& text) { text.replace(text.find(from), from.size(), to); };
    };
    CHECK_THAT(refused("dgx-a100", smi_file, cut(2000)), ContainsSubstring("m/nvidia-smi.xml:"));
    CHECK_THAT(refused("dgx-a100", smi_file, cut(2000)), ContainsSubstring("is the file complete?"));
    CHECK_THAT(refused("rtx4090", smi_file,
                       [](std::string& text) { text = "\nNVIDIA-SMI has failed because it couldn't communicate\n"; }),
               ContainsSubstring("expected the output of nvidia-smi -q -x, got 'NVIDIA-SMI has failed"));
    CHECK_THAT(refused("a40-bridges", smi_file, swap("<attached_gpus>4", "<attached_gpus>5")),
               ContainsSubstring("5 GPUs attached, but 4 described"));
    CHECK_THAT(refused("a40-bridges", smi_file, swap("NVIDIA A40", "NVIDIA A16")),
               ContainsSubstring("GPUs of several kinds"));
    CHECK_THAT(refused("a40-bridges", smi_file, swap("</pci>", "</psi>")), ContainsSubstring("expected </pci>"));
    CHECK_THAT(refused("a40-bridges", topology_file, swap("NV4", "FOO")),
               ContainsSubstring("m/topo.txt:2: unknown relation 'FOO'"));
    CHECK_THAT(refused("a40-bridges", topology_file, cut(200)), ContainsSubstring("m/topo.txt"));
    CHECK_THAT(refused("a40-bridges", topology_file, [](std::string& text) { text.clear(); }),
               ContainsSubstring("no line begins with GPU0"));
    CHECK_THAT(refused("rtx4090", lscpu_file, swap("Socket(s)", "Sockel")), ContainsSubstring("'Socket(s): <count>'"));
    CHECK_THAT(refused("rtx4090", memory_file, swap("MemTotal", "Mem")), ContainsSubstring("MemTotal"));
    CHECK_THAT(refused("dgx-a100", nic_file, swap("200 Gb/sec", "fast")), ContainsSubstring("m/nics.txt"));
}

TEST_CASE("A folder of saved outputs must be there and hold them") {
    const Folder folder;
    const cli::Result empty = cli::run({"detect", "--from", folder.path.string()}, ".");
    CHECK(empty.code == 2);
    CHECK_THAT(empty.errors, ContainsSubstring("lscpu.txt: missing"));
    CHECK(cli::run({"detect", "--from", folder.in("nowhere")}, ".").code == 4);
    CHECK(cli::run({"detect", "--from", recorded + "rtx4090", "--name", "My Node"}, ".").code == 2);
}

TEST_CASE("The kernel tells of a PCIe link that nvidia-smi does not show") {
    ToolOutputs outputs = outputs_of("rtx4090");
    std::string& smi = outputs["nvidia-smi.xml"];
    for (const std::string shown : {"<max_link_gen>4", "<max_link_width>16x"})
        smi.replace(smi.find(shown), shown.size(), shown.substr(0, shown.find('>') + 1) + "N/A");
    const auto link = [&] {
        const Description found = describe(read_machine(outputs, "m"), testing::library(), "node", "a test");
        return read_node(Fields::from_text(found.files.at("hardware_db/nodes/node.json"), "n.json")).pcie_link_name;
    };
    outputs["pcie.txt"] = "0000:01:00.0 16.0 8\n";
    CHECK(link() == "pcie-4-x8");
    outputs["pcie.txt"] = "0000:02:00.0 16.0 16\n0000:01:00.0 32.0 16\n";
    CHECK(link() == "pcie-5-x16");
    outputs["pcie.txt"] = "0000:01:00.0 17 16\n";
    CHECK_THROWS_WITH(link(), ContainsSubstring("m/pcie.txt: expected '<address> <GT/s> <lanes>'"));
}

TEST_CASE("XML as tools print it") {
    const XmlElement root = parse_xml(
        "<?xml version='1.0'?><!DOCTYPE a><a x='1'> <b>1 &lt; 2 &amp; 3</b><!-- no -->"
        "<c/><d><b>deep</b></d></a>",
        "x.xml");
    CHECK(root.name == "a");
    CHECK(root.children.size() == 3);
    CHECK(root.text_at("b") == "1 < 2 & 3");
    CHECK(root.text_at("d/b") == "deep");
    CHECK(root.text_at("d/x/b").empty());
    CHECK(root.child("c")->children.empty());
    for (const char* bad : {"", "text", "<a>", "<a", "<a></b>", "<a></a><b></b>", "<a><!-- </a>", "<></>", "</a>"}) {
        INFO(bad);
        CHECK_THROWS_AS(parse_xml(bad, "x.xml"), InputError);
    }
    std::string deep;
    for (int i = 0; i < 1000; ++i) deep += "<a>";
    CHECK_THROWS_WITH(parse_xml(deep, "x.xml"), ContainsSubstring("too deep"));
}
