#include "cli/program.hpp"

#include <cerrno>
#include <filesystem>
#include <map>
#include <new>
#include <ostream>

#include <plimsoll_config.hpp>

#include "cli/command.hpp"
#include "cli/format.hpp"
#include "cli/help.hpp"
#include "cli/output_file.hpp"
#include "model/base/error.hpp"

namespace plimsoll {
namespace {

constexpr int exit_input = 2;
constexpr int exit_environment = 4;
constexpr int json_schema_version = 1;

void say(std::ostream& stream, const std::string& text) {
    stream << text << std::flush;
    if (!stream) throw EnvironmentError("standard output", errno != 0 ? errno : EIO);
}

std::string escaped(const std::string& text) {
    std::string result;
    for (const char c : text) result += static_cast<unsigned char>(c) < 0x20U || c == 0x7F ? '?' : c;
    return result;
}

void add_provenance(Document& document, const std::string& command, Session& session) {
    document.items.insert(document.items.begin(),
                          Facts{.key = "",
                                .title = "",
                                .facts = {{"schema_version", "", Cell::count(json_schema_version)},
                                          {"version", "", PLIMSOLL_VERSION},
                                          {"data_hash", "", session.catalog().hash()},
                                          {"command", "", command}}});
}

/// A file without the ways in which its name may be written; devices and pipes have none, as they take more than one
/// text.
std::string written_file(const std::string& path) {
    namespace fs = std::filesystem;
    std::error_code error;
    if (path == "-") return path;
    if (fs::exists(path, error) && !fs::is_regular_file(path, error)) return "";
    const fs::path whole = fs::weakly_canonical(fs::absolute(path, error), error);
    return error ? path : whole.string();
}

/// No two options may write to the same file; without `--output` the answer goes to the standard output.
void refuse_shared_files(const Invocation& invocation) {
    std::map<std::string, std::string> taken{
        {written_file(invocation.globals.value("output").value_or("-")), "the answer (--output)"}};
    for (const Option& option : invocation.command->options) {
        if (!option.written || !invocation.arguments.given(option.name)) continue;
        const std::string path = *invocation.arguments.value(option.name), file = written_file(path);
        if (file.empty()) continue;
        const auto [other, first] = taken.emplace(file, "--" + option.name);
        if (!first)
            throw InputError("--" + option.name,
                             in_quotes(path) + " is where " + other->second + " goes; each needs a file of its own");
    }
}

int run_command(const Invocation& invocation, const Environment& environment, std::size_t width) {
    refuse_shared_files(invocation);
    Session session(environment, invocation.globals.values("data"));
    const Format& format = formats().at(*invocation.globals.value("format"), "format", "--format");
    Document document = invocation.command->run(invocation.arguments, session);
    if (format.provenance) add_provenance(document, invocation.name, session);
    const std::string text = format.write(document, width);
    if (const auto path = invocation.globals.value("output"); path && *path != "-")
        write_file(*path, text);
    else
        say(*environment.out, text);
    for (const std::string& error : document.errors) *environment.errors << "plimsoll: " << escaped(error) << "\n";
    return document.exit_code;
}

int run_invocation(const std::vector<std::string>& arguments, const Environment& environment) {
    const Invocation invocation = parse_arguments(arguments);
    const int asked = invocation.globals.integer("width", {20, 100000}).value_or(0);
    const std::size_t width = asked > 0 ? static_cast<std::size_t>(asked) : environment.width;
    if (invocation.version) {
        say(*environment.out, "plimsoll " PLIMSOLL_VERSION "\n");
        return 0;
    }
    if (invocation.help) {
        say(*environment.out, invocation.command ? command_help(invocation.name, *invocation.command, width)
                                                 : program_help(width, invocation.name));
        return 0;
    }
    if (!invocation.command) {
        *environment.errors << program_help(width, invocation.name);
        return exit_input;
    }
    return run_command(invocation, environment, width);
}

}  // namespace

int run_program(const std::vector<std::string>& arguments, const Environment& environment) {
    try {
        return run_invocation(arguments, environment);
    } catch (const InputError& error) {
        *environment.errors << "plimsoll: " << escaped(error.what()) << "\n";
        return exit_input;
    } catch (const EnvironmentError& error) {
        *environment.errors << "plimsoll: " << escaped(error.what()) << "\n";
        return exit_environment;
    } catch (const std::bad_alloc&) {
        *environment.errors << "plimsoll: the memory of this machine is too small for so much at the same time\n";
        return exit_environment;
    }
}

}  // namespace plimsoll
