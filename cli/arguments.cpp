#include "cli/arguments.hpp"

#include <algorithm>
#include <cmath>

#include <CLI/CLI.hpp>

#include "cli/command.hpp"
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
        throw InputError("--" + name, "expected a whole number from " + std::to_string(std::llround(range.least)) +
                                          " to " + std::to_string(std::llround(range.most)) + ", got " +
                                          in_quotes(*text));
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

[[noreturn]] void refuse(const std::string& extra, const std::string& command, std::vector<Option> known) {
    const bool option = extra.size() > 1 && extra.front() == '-';
    const std::string place = command.empty() ? "command line" : command;
    if (!option && command.empty()) throw InputError(place, unknown_name("command", extra, commands().names()));
    if (!option) throw InputError(place, "one argument too many: " + in_quotes(extra));
    known.insert(known.end(), global_options().begin(), global_options().end());
    std::vector<std::string> names{"--help"};
    for (const Option& entry : known) names.push_back("--" + entry.name);
    throw InputError(place, unknown_name("option", extra.substr(0, extra.find('=')), std::move(names)));
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
    for (const auto& [name, command] : commands()) {
        CLI::App* sub = app.add_subcommand(name);
        sub->set_help_flag();
        sub->fallthrough();
        declare(*sub, command.options, slots[name]);
        for (const Positional& positional : command.positionals) {
            Slot& slot = slots[name][positional.name];
            slot.option = sub->add_option(positional.name, slot.values);
            slot.option->expected(-1);
        }
    }
    try {
        app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
    } catch (const CLI::ArgumentMismatch& error) {
        const std::string message = error.what();
        throw InputError(message.substr(0, message.find(':')), "a value is missing");
    } catch (const CLI::ParseError& error) {
        throw InputError("command line", error.what());
    }
    if (!app.get_subcommands().empty()) {
        invocation.name = app.get_subcommands().front()->get_name();
        invocation.command = commands().find(invocation.name);
    }
    const std::vector<std::string> extras = app.remaining(true);
    if (!extras.empty())
        refuse(extras.front(), invocation.name,
               invocation.command ? invocation.command->options : std::vector<Option>{});
    take(global_options(), global_slots, invocation.globals);
    if (invocation.command) {
        Slots& own = slots.at(invocation.name);
        take(invocation.command->options, own, invocation.arguments);
        take(invocation.command->positionals, own, invocation.arguments, invocation.help);
    }
    return invocation;
}

}  // namespace plimsoll
