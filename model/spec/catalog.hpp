#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/base/fields.hpp"
#include "model/spec/engine.hpp"
#include "model/spec/gpu.hpp"
#include "model/spec/load.hpp"
#include "model/spec/measured_kernels.hpp"
#include "model/spec/node.hpp"
#include "model/spec/profile.hpp"
#include "model/spec/transformer.hpp"

namespace plimsoll {

/// The entries of one kind: files of one folder in several data directories, later directories over earlier ones.
/// A file is read when its entry is first asked for; aliases are indexed when no file has the name.
template <class Entry>
class Shelf {
  public:
    using Read = std::function<Entry(const Fields&)>;
    Shelf(std::string kind, std::string folder, Read read)
        : kind_(std::move(kind)), folder_(std::move(folder)), read_(std::move(read)) {}

    /// Adds the files of `<data_directory>/<folder>`; a missing folder is empty.
    void add_directory(const std::string& data_directory);
    /// The entry of that name or alias (case does not matter for aliases), or in the file of that path (see `file_of`).
    /// Throws InputError at `place` for an unknown name (the nearest is suggested) and for an alias of several entries
    /// (all are named), EnvironmentError for a file that cannot be read.
    [[nodiscard]] const Entry& at(std::string_view name_or_alias, const std::string& place);
    /// All entries that have this name or alias, in order of names.
    [[nodiscard]] std::vector<const Entry*> candidates(std::string_view name_or_alias);
    [[nodiscard]] std::vector<std::string> names() const;
    [[nodiscard]] const std::string& kind() const { return kind_; }
    /// The file behind a name.
    [[nodiscard]] const std::string& path(const std::string& name) const { return paths_.at(name); }
    /// The file that is meant: a path that ends in ".json", or a folder with a config.json in it that has no entry's
    /// name; nothing otherwise.
    [[nodiscard]] std::optional<std::string> file_of(std::string_view name_or_path);
    /// Files that were read by their path, in order of paths.
    [[nodiscard]] std::vector<std::string> files_read() const;
    /// Takes an entry that is in no file (a model from elsewhere); its name must be new.
    const Entry& add(Entry entry);

  private:
    const Entry& load(const std::string& name);
    const Entry& load_file(const std::string& path);
    std::string kind_, folder_;
    Read read_;
    std::map<std::string, std::string> paths_;
    std::map<std::string, std::unique_ptr<Entry>> entries_;
    std::map<std::string, std::unique_ptr<Entry>> by_path_;
};

/// Everything that the data directories hold.
class Catalog {
  public:
    /// Directories with `hardware_db/` and `scenarios/library/`, weakest first.
    explicit Catalog(std::vector<std::string> data_directories);
    // The readers of GPUs and nodes look into the other shelves.
    Catalog(const Catalog&) = delete;
    Catalog& operator=(const Catalog&) = delete;

    Shelf<Gpu> gpus;
    Shelf<EfficiencyClass> classes;
    Shelf<Link> links;
    Shelf<Node> nodes;
    Shelf<Transformer> models;
    Shelf<Engine> engines;
    Shelf<Workload> workloads;
    Shelf<Profile> profiles;

    /// What was chosen of the profiles for one use of a GPU, for whoever chooses to keep it here; null before.
    [[nodiscard]] std::unique_ptr<MeasuredKernels>& measured_kernels(const std::string& use) { return measured_[use]; }

    /// An engine of the catalog as its defaults are on that GPU.
    [[nodiscard]] const Engine& engine_on(const Engine& engine, const Gpu& gpu);

    [[nodiscard]] const std::vector<std::string>& directories() const { return directories_; }
    /// 16 hex digits over names and contents of all data files (FNV-1a), and of those read by their path so far, so
    /// that an answer names its data.
    [[nodiscard]] std::string hash() const;

  private:
    std::vector<std::string> directories_;
    std::map<std::string, std::unique_ptr<MeasuredKernels>> measured_;
    std::map<std::pair<const Engine*, const Gpu*>, std::unique_ptr<Engine>> engines_on_;
};

/// "none", or the name of the only profile to use; throws InputError at `place`.
[[nodiscard]] ProfileChoice profile_choice(const std::string& name, const std::string& place, Catalog& catalog);

[[nodiscard]] Workload read_workload(const Fields& fields);

}  // namespace plimsoll
