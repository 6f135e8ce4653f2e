#include "model/spec/catalog.hpp"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "model/base/error.hpp"
#include "model/base/fields.hpp"
#include "model/spec/sources.hpp"

namespace plimsoll {
namespace {

namespace fs = std::filesystem;

std::string lower(std::string_view text) {
    std::string result(text);
    std::transform(result.begin(), result.end(), result.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return result;
}

template <class Entry>
bool answers_to(const Entry& entry, const std::string& wanted) {
    return entry.name == wanted || std::any_of(entry.aliases.begin(), entry.aliases.end(),
                                               [&](const std::string& alias) { return lower(alias) == wanted; });
}

std::vector<fs::path> json_files(const fs::path& folder) {
    std::vector<fs::path> files;
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
        if (entry->path().extension() == ".json") files.push_back(entry->path());
    if (error && error != std::errc::no_such_file_or_directory) throw EnvironmentError(folder.string(), error.value());
    std::sort(files.begin(), files.end());
    return files;
}

constexpr const char* folders[] = {
    "hardware_db/gpus",         "hardware_db/classes",       "hardware_db/links",           "hardware_db/nodes",
    "scenarios/library/models", "scenarios/library/engines", "scenarios/library/workloads", "hardware_db/profiles"};

}  // namespace

template <class Entry>
void Shelf<Entry>::add_directory(const std::string& data_directory) {
    for (const fs::path& file : json_files(fs::path(data_directory) / folder_))
        paths_[file.stem().string()] = file.string();
}

template <class Entry>
const Entry& Shelf<Entry>::load(const std::string& name) {
    std::unique_ptr<Entry>& slot = entries_[name];
    if (!slot) {
        const Fields fields = Fields::from_file(paths_.at(name));
        slot = std::make_unique<Entry>(read_(fields));
        if (slot->name != name)
            fields.fail("name", "expected '" + name + "', the name of the file, got '" + slot->name + "'");
    }
    return *slot;
}

template <class Entry>
const Entry& Shelf<Entry>::load_file(const std::string& path) {
    std::unique_ptr<Entry>& slot = by_path_[path];
    if (slot) return *slot;
    auto entry = std::make_unique<Entry>(read_(Fields::from_file(path)));
    // Answers tell entries by their names.
    const auto same_name = [&](const auto& other) { return other.second && other.second->name == entry->name; };
    if (paths_.count(entry->name) || std::any_of(by_path_.begin(), by_path_.end(), same_name)) entry->name = path;
    slot = std::move(entry);
    return *slot;
}

template <class Entry>
std::optional<std::string> Shelf<Entry>::file_of(std::string_view name_or_path) {
    std::string path(name_or_path);
    if (path.ends_with(".json")) return path;
    const fs::path inside = fs::path(path) / "config.json";
    std::error_code error;
    if (path.empty() || !fs::is_regular_file(inside, error) || !candidates(path).empty()) return std::nullopt;
    return inside.string();
}

template <class Entry>
std::vector<std::string> Shelf<Entry>::files_read() const {
    std::vector<std::string> files;
    for (const auto& entry : by_path_) files.push_back(entry.first);
    return files;
}

template <class Entry>
const Entry& Shelf<Entry>::add(Entry entry) {
    const std::string name = entry.name;
    std::unique_ptr<Entry>& slot = entries_[name];
    PLIMSOLL_ASSERT(!slot && !paths_.count(name));
    slot = std::make_unique<Entry>(std::move(entry));
    return *slot;
}

template <class Entry>
std::vector<const Entry*> Shelf<Entry>::candidates(std::string_view name_or_alias) {
    const std::string wanted = lower(name_or_alias);
    if (paths_.count(wanted)) return {&load(wanted)};
    for (const auto& file : paths_) load(file.first);
    std::vector<const Entry*> found;
    for (const auto& entry : entries_)
        if (entry.second && answers_to(*entry.second, wanted)) found.push_back(entry.second.get());
    return found;
}

template <class Entry>
const Entry& Shelf<Entry>::at(std::string_view name_or_alias, const std::string& place) {
    if (const auto file = file_of(name_or_alias)) return load_file(*file);
    const std::vector<const Entry*> found = candidates(name_or_alias);
    if (found.empty()) throw InputError(place, unknown_name(kind_, name_or_alias, names()));
    if (found.size() > 1) {
        std::string message = "'" + std::string(name_or_alias) + "' may mean any " + kind_ + " of: ";
        for (const Entry* entry : found) message += (entry == found.front() ? "" : ", ") + entry->name;
        throw InputError(place, message);
    }
    return *found.front();
}

template <class Entry>
std::vector<std::string> Shelf<Entry>::names() const {
    std::vector<std::string> result;
    for (const auto& file : paths_) result.push_back(file.first);
    for (const auto& entry : entries_)
        if (!paths_.count(entry.first)) result.push_back(entry.first);
    std::sort(result.begin(), result.end());
    return result;
}

template class Shelf<Gpu>;
template class Shelf<EfficiencyClass>;
template class Shelf<Link>;
template class Shelf<Node>;
template class Shelf<Transformer>;
template class Shelf<Engine>;
template class Shelf<Workload>;
template class Shelf<Profile>;

Workload read_workload(const Fields& fields) {
    Workload workload;
    EntryHead head = read_head(fields, "workload");
    workload.name = std::move(head.name);
    workload.aliases = std::move(head.aliases);
    workload.description = fields.string("description");
    workload.prompt = Distribution::parse_tokens(fields.string("prompt"), fields.place("prompt"));
    workload.output = Distribution::parse_tokens(fields.string("output"), fields.place("output"));
    workload.printed_prompt_scale = fields.number_or("printed_prompt_scale", 1.0, {0.01, 100});
    const Sources sources(fields);
    static_cast<void>(sources.text("prompt"));
    static_cast<void>(sources.text("output"));
    fields.finish();
    return workload;
}

ProfileChoice profile_choice(const std::string& name, const std::string& place, Catalog& catalog) {
    if (name == "none") return {.any = false, .only = nullptr};
    return {.any = true, .only = &catalog.profiles.at(name, place)};
}

Catalog::Catalog(std::vector<std::string> data_directories)
    : gpus("GPU", folders[0],
           [this](const Fields& fields) {
               Gpu gpu = read_gpu(fields);
               gpu.efficiency_class = classes.at(gpu.efficiency_class, fields.place("efficiency_class")).name;
               return gpu;
           }),
      classes("efficiency class", folders[1], read_efficiency_class),
      links("link", folders[2], read_link),
      nodes("node", folders[3],
            [this](const Fields& fields) {
                Node node = read_node(fields);
                const auto resolve = [&](const std::string& name, Link& link, const std::string& place) {
                    if (!name.empty()) link = links.at(name, place);
                };
                resolve(node.pcie_link_name, node.pcie, fields.object_or_empty("pcie").place("link"));
                resolve(node.socket_link_name, node.socket_link, fields.place("socket_link"));
                resolve(node.nvlink_link_name, node.nvlink_link, fields.object("nvlink").place("link"));
                resolve(node.nic_link_name, node.nic, fields.object_or_empty("nics").place("link"));
                node.gpu = gpus.at(node.gpu, fields.place("gpu")).name;
                return node;
            }),
      models("model", folders[4], read_model),
      engines("engine", folders[5], read_engine),
      workloads("workload", folders[6], read_workload),
      profiles("profile", folders[7],
               [this](const Fields& fields) {
                   Profile profile = read_profile(fields);
                   profile.gpu = gpus.at(profile.gpu, fields.place("gpu")).name;
                   return profile;
               }),
      directories_(std::move(data_directories)) {
    for (const std::string& directory : directories_) {
        gpus.add_directory(directory);
        classes.add_directory(directory);
        links.add_directory(directory);
        nodes.add_directory(directory);
        models.add_directory(directory);
        engines.add_directory(directory);
        workloads.add_directory(directory);
        profiles.add_directory(directory);
    }
}

const Engine& Catalog::engine_on(const Engine& engine, const Gpu& gpu) {
    if (engine.by_memory.empty()) return engine;
    std::unique_ptr<Engine>& slot = engines_on_[{&engine, &gpu}];
    if (!slot) slot = std::make_unique<Engine>(with_limits_of(engine, gpu));
    return *slot;
}

std::string Catalog::hash() const {
    std::uint64_t state = 14695981039346656037ULL;
    const auto mix = [&state](const std::string& text) {
        for (const char c : text) state = (state ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
    };
    const auto mix_file = [&mix](const fs::path& file) {
        std::ifstream stream(file, std::ios::binary);
        mix(file.filename().string());
        mix({std::istreambuf_iterator<char>(stream), {}});
    };
    for (const std::string& directory : directories_)
        for (const char* folder : folders)
            for (const fs::path& file : json_files(fs::path(directory) / folder)) mix_file(file);
    const auto mix_read = [&](const auto&... shelves) {
        (..., [&](const auto& shelf) {
            for (const std::string& file : shelf.files_read()) mix_file(file);
        }(shelves));
    };
    mix_read(gpus, classes, links, nodes, models, engines, workloads, profiles);
    static constexpr char digits[] = "0123456789abcdef";
    std::string text(16, '0');
    for (std::size_t i = 16; i-- > 0; state >>= 4) text[i] = digits[state & 15U];
    return text;
}

}  // namespace plimsoll
