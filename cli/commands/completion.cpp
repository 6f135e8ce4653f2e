#include "cli/completion.hpp"

#include "cli/command.hpp"

namespace plimsoll {
namespace {

Document run(const Arguments& arguments, Session&) {
    Document document;
    document.items.push_back(Verbatim{"script", completion_script(*arguments.value("SHELL"))});
    return document;
}

}  // namespace

void register_completion(Registry<Command>& registry) {
    registry.add("completion",
                 {.summary = "A script that completes commands, options and names in your shell",
                  .description = "bash: source <(plimsoll completion bash). zsh: write it to a file _plimsoll on your "
                                 "fpath. fish: plimsoll completion fish | source.",
                  .examples = {"plimsoll completion bash", "plimsoll completion zsh", "plimsoll completion fish"},
                  .positionals = {{.name = "SHELL", .help = "the shell", .choices = completion_shells()}},
                  .run = run});
}

}  // namespace plimsoll
