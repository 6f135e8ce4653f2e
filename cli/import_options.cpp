#include "cli/import_options.hpp"

#include <fmt/format.h>

#include "model/base/error.hpp"

namespace plimsoll {

std::vector<Option> import_options() {
    return {{.name = "importer",
             .value = "NAME",
             .help = "form of the files, as plimsoll list importers has them; told by their text if absent",
             .completes = "importers"},
            {.name = "column",
             .value = "NAME=VALUE",
             .help = "what another tool's file does not say of its rows, such as gpu=h20-96gb-sxm",
             .repeatable = true},
            {.name = "where",
             .value = "CONDITION",
             .help = "takes the rows with COLUMN=VALUE, COLUMN>=VALUE or COLUMN<=VALUE; all given must hold",
             .repeatable = true}};
}

ImportChoice import_choice(const Arguments& arguments) {
    ImportChoice choice{.importer = arguments.value("importer").value_or(""),
                        .given = parse_given_columns(arguments.values("column"))};
    for (const std::string& text : arguments.values("where")) choice.where.push_back(parse_condition(text));
    return choice;
}

Imported import_files(const std::vector<std::string>& paths, const ImportChoice& choice,
                      const std::vector<MeasuredKind>& wanted) {
    Imported all = import_file(paths.front(), choice, wanted);
    for (std::size_t i = 1; i < paths.size(); ++i) {
        const Imported more = import_file(paths[i], choice, wanted);
        all.table.append(more.table);
        all.left_out.insert(all.left_out.end(), more.left_out.begin(), more.left_out.end());
        all.read += more.read;
    }
    if (all.table.rows() == 0 && all.read > 0) refuse_conditions(all.read);
    return all;
}

void refuse_conditions(std::size_t rows) {
    throw InputError("--where", fmt::format("none of the {} rows satisfies all conditions", rows));
}

}  // namespace plimsoll
