#include "cli/arguments.hpp"

#include <algorithm>
#include <cmath>

#include <CLI/CLI.hpp>

#include "cli/command.hpp"
#include "cli/command_names.hpp"
#include "model/base/limit_text.hpp"
#include "model/base/units_text.hpp"

namespace plimsoll {

void Arguments::set(const std::string& name, std::vector<std::string> values, bool given) {
    entries_[name] = {std::move(values), given};
}

bool Arguments::given(const std::string& name) const {
    const auto found = entries_.find(name);
    return found != entries_.end() && found->second.given;
}

const std::vector<std::string>& Arguments::values(const std::string& name) const {
    static const std::vector<std::string> none;
    const auto found = entries_.find(name);
    return found == entries_.end() ? none : found->second.values;
}

std::optional<std::string> Arguments::value(const std::string& name) const {
    const std::vector<std::string>& all = values(name);
    return all.empty() ? std::nullopt : std::optional(all.back());
}

std::optional<int> Arguments::integer(const std::string& name, Range range) const {
    const std::optional<std::string> text = value(name);
    if (!text) return std::nullopt;
    const double number = parse_number(*text, "--" + name);
    if (number != std::floor(number) || number < range.least || number > range.most)
        throw InputError("--" + name, "expected a whole number from " + limit_text(range.least) + " to " +
                                          limit_text(range.most) + ", got " + in_quotes(*text));
    return static_cast<int>(number);
}

namespace {

/// What CLI11 fills for one option or positional.
struct Slot {
    CLI::Option* option = nullptr;
    std::vector<std::string> values = {};
    bool flag = false;
};
using Slots = std::map<std::string, Slot>;

void declare(CLI::App& app, const std::vector<Option>& options, Slots& slots) {
    for (const Option& option : options) {
        Slot& slot = slots[option.name];
        if (option.value.empty()) {
            slot.option = app.add_flag("--" + option.name, slot.flag);
            continue;
        }
        // Without the last an option takes the words behind its value as well, such as a file.
        slot.option = app.add_option("--" + option.name, slot.values)->expected(1)->allow_extra_args(false);
        slot.option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    }
}

std::vector<std::string> split_at_commas(const std::vector<std::string>& values) {
    std::vector<std::string> parts;
    for (const std::string& value : values)
        for (std::size_t from = 0; from <= value.size();) {
            const std::size_t to = std::min(value.find(',', from), value.size());
            parts.push_back(value.substr(from, to - from));
            from = to + 1;
        }
    return parts;
}

void check_choice(const std::string& value, const std::vector<std::string>& choices, const std::string& kind,
                  const std::string& place) {
    if (!choices.empty() && std::find(choices.begin(), choices.end(), value) == choices.end())
        throw InputError(place, unknown_name(kind, value, choices));
}

void take(const std::vector<Option>& options, Slots& slots, Arguments& arguments) {
    for (const Option& option : options) {
        Slot& slot = slots.at(option.name);
        const bool given = slot.option->count() > 0;
        if (!option.list && !option.repeatable && slot.option->count() > 1)
            throw InputError("--" + option.name, "given more than once");
        std::vector<std::string> values = option.list ? split_at_commas(slot.values) : std::move(slot.values);
        for (const std::string& value : values) {
            if (value.empty()) throw InputError("--" + option.name, "a value is missing");
            check_choice(value, option.choices, "value", "--" + option.name);
        }
        if (!given && !option.fallback.empty()) values = {option.fallback};
        arguments.set(option.name, std::move(values), given);
    }
}

void take(const std::vector<Positional>& positionals, Slots& slots, Arguments& arguments, bool help) {
    for (const Positional& positional : positionals) {
        Slot& slot = slots.at(positional.name);
        const bool given = slot.option->count() > 0;
        if (!given && positional.required && !help)
            throw InputError("command line", positional.name + " is missing; see --help");
        if (!positional.many && slot.values.size() > 1)
            throw InputError("command line", "one argument too many: " + in_quotes(slot.values[1]));
        for (const std::string& value : slot.values) check_choice(value, positional.choices, "word", positional.name);
        arguments.set(positional.name, std::move(slot.values), given);
    }
}

[[noreturn]] void refuse(const std::string& extra, const Invocation& invocation) {
    const bool option = extra.size() > 1 && extra.front() == '-';
    const std::string place = invocation.name.empty() ? "command line" : invocation.name;
    if (!option && !invocation.command)
        throw InputError(place, unknown_name("command", extra, command_words(invocation.name)));
    if (!option) throw InputError(place, "one argument too many: " + in_quotes(extra));
    std::vector<std::string> names{"--help"};
    if (invocation.command)
        for (const Option& entry : invocation.command->options) names.push_back("--" + entry.name);
    for (const Option& entry : global_options()) names.push_back("--" + entry.name);
    throw InputError(place, unknown_name("option", extra.substr(0, extra.find('=')), std::move(names)));
}

CLI::App* add_subcommand(CLI::App& app, const std::string& name) {
    CLI::App* sub = app.add_subcommand(name);
    sub->set_help_flag();
    sub->fallthrough();
    return sub;
}

void declare_commands(CLI::App& app, std::map<std::string, Slots>& slots) {
    std::map<std::string, CLI::App*> groups;
    for (const std::string& group : command_groups()) groups[group] = add_subcommand(app, group);
    for (const auto& [name, command] : commands()) {
        const CommandName parts = split_command_name(name);
        CLI::App* sub = add_subcommand(parts.group.empty() ? app : *groups.at(parts.group), parts.word);
        declare(*sub, command.options, slots[name]);
        for (const Positional& positional : command.positionals) {
            Slot& slot = slots[name][positional.name];
            slot.option = sub->add_option(positional.name, slot.values);
            slot.option->expected(-1);
        }
    }
}

/// The words of the subcommands that CLI11 met, with a blank between.
std::string parsed_name(const CLI::App& app) {
    std::string name;
    for (std::vector<CLI::App*> met = app.get_subcommands(); !met.empty(); met = met.front()->get_subcommands())
        name += (name.empty() ? "" : " ") + met.front()->get_name();
    return name;
}

}  // namespace

Invocation parse_arguments(const std::vector<std::string>& arguments) {
    Invocation invocation;
    CLI::App app;
    Slots global_slots;
    app.set_help_flag();
    app.add_flag("-h,--help", invocation.help);
    app.add_flag("--version", invocation.version);
    app.require_subcommand(0, 1);
    app.allow_extras();
    declare(app, global_options(), global_slots);
    std::map<std::string, Slots> slots;
    declare_commands(app, slots);
    try {
        app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
    } catch (const CLI::ArgumentMismatch& error) {
        const std::string message = error.what();
        throw InputError(message.substr(0, message.find(':')), "a value is missing");
    } catch (const CLI::ParseError& error) {
        throw InputError("command line", error.what());
    }
    invocation.name = parsed_name(app);
    invocation.command = commands().find(invocation.name);
    const std::vector<std::string> extras = app.remaining(true);
    if (!extras.empty()) refuse(extras.front(), invocation);
    take(global_options(), global_slots, invocation.globals);
    if (invocation.command) {
        Slots& own = slots.at(invocation.name);
        take(invocation.command->options, own, invocation.arguments);
        take(invocation.command->positionals, own, invocation.arguments, invocation.help);
    }
    return invocation;
}

}  // namespace plimsoll
