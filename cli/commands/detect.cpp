#include <fmt/format.h>
#include <plimsoll_config.hpp>

#include "cli/calibration_files.hpp"
#include "cli/command.hpp"
#include "cli/host_facts.hpp"
#include "cli/machine_probe.hpp"
#include "cli/session.hpp"
#include "detect/describe.hpp"

namespace plimsoll {
namespace {

Document document_of(const Description& description, const std::string& folder) {
    Document document;
    document.items.push_back(Facts{"",
                                   "",
                                   {{"node", "node", description.node},
                                    {"gpu", "GPU", description.gpu},
                                    {"gpus", "GPUs", Cell::count(description.gpus)},
                                    {"data_folder", "data in", folder}}});
    Bullets files{"files", "Written:", {}};
    for (const auto& [path, text] : description.files) files.lines.push_back(folder + "/" + path);
    document.items.emplace_back(files);
    if (!description.to_fill_in.empty()) {
        document.items.emplace_back(
            Bullets{"to_fill_in",
                    fmt::format("The GPU {} is in no data file, and nvidia-smi does not tell all of it. Fill in, then "
                                "run plimsoll check:",
                                description.gpu),
                    description.to_fill_in});
    }
    std::vector<std::string> notes = description.notes;
    notes.push_back(fmt::format("Plan with it: plimsoll plan --data {} --node {} ...", folder, description.node));
    document.items.emplace_back(Bullets{"notes", "", notes});
    return document;
}

Document run(const Arguments& arguments, Session& session) {
    const auto from = arguments.value("from");
    const ToolOutputs outputs = from ? saved_machine(*from) : probe_machine();
    if (const auto folder = arguments.value("save")) write_files(*folder, outputs);
    const Machine machine = read_machine(outputs, from.value_or("this machine"));
    const std::string driver = machine.accelerators.driver.empty() ? "" : ", driver " + machine.accelerators.driver;
    const std::string origin =
        from ? fmt::format("saved outputs of its tools{}, read by plimsoll " PLIMSOLL_VERSION, driver)
             : fmt::format("nvidia-smi, lscpu, /proc and /sys{}, {}", driver, date_today());
    const Description description = describe(machine, session.catalog(), arguments.value("name").value_or(""), origin);
    const std::string folder = *arguments.value("output-data");
    write_files(folder, description.files);
    return document_of(description, folder);
}

}  // namespace

void register_detect(Registry<Command>& registry) {
    registry.add(
        "detect",
        {.summary = "Describes this machine, or a saved one, as a node to plan with",
         .description =
             "Without options for the machine it runs on. Reads what nvidia-smi -q -x, nvidia-smi topo -m, lscpu, "
             "/proc/meminfo and /sys tell, "
             "finds the GPU in the data by its name, and writes a node into a data directory that --data takes: GPUs, "
             "sockets, PCIe, NVLink, network adapters. What no tool tells comes from the most similar node and is "
             "marked estimated. A GPU that the data do not know gets a file with what is known, to be filled in. "
             "Without a GPU the processors are described.",
         .examples = {"plimsoll detect --from tests/recorded/machines/v100-mesh --name our-v100 --output-data "
                      "/tmp/plimsoll-data"},
         .options =
             {{.name = "from",
               .value = "DIR",
               .help = "outputs of another machine that --save wrote there, instead of this one's",
               .completes = "directories"},
              {.name = "save",
               .value = "DIR",
               .help =
                   "where to keep the outputs: nvidia-smi.xml, topo.txt, lscpu.txt, meminfo.txt, pcie.txt, nics.txt",
               .completes = "directories"},
              {.name = "name", .value = "NAME", .help = "of the node; made of GPU and count if absent"},
              output_data_option()},
         .run = run});
}

}  // namespace plimsoll
