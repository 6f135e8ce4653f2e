# A seam is a folder whose every `name.cpp` (or `.cu`) is one plug-in with `void register_<name>(Registry<Type>&)`. This writes the
# source that defines `const Registry<Type>& <function>()`, declared in `header`, by calling them in file-name order. The
# function is in the namespace plimsoll or in the one given last.
function(plimsoll_seam target folder function type header)
    set(namespace plimsoll)
    if(ARGC GREATER 5)
        set(namespace ${ARGV5})
    endif()
    file(GLOB plug_ins CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}/${folder}
        ${PROJECT_SOURCE_DIR}/${folder}/*.cpp ${PROJECT_SOURCE_DIR}/${folder}/*.cu)
    if(NOT plug_ins)
        return()
    endif()
    set(declarations "")
    set(calls "")
    foreach(plug_in IN LISTS plug_ins)
        string(REGEX REPLACE "\\.(cpp|cu)$" "" name ${plug_in})
        if(NOT name MATCHES "^[a-z][a-z0-9_]*$")
            message(FATAL_ERROR "${folder}/${plug_in}: a plug-in's file name must be a snake_case identifier")
        endif()
        string(APPEND declarations "void register_${name}(Registry<${type}>&);\n")
        string(APPEND calls "        register_${name}(filled);\n")
    endforeach()
    string(REPLACE "/" "_" file_name ${folder})
    set(source ${PROJECT_BINARY_DIR}/seams/${file_name}.cpp)
    file(CONFIGURE OUTPUT ${source} @ONLY CONTENT [[
// Generated from the files of @folder@; add a file there instead of editing this.
#include "@header@"
#include "model/base/registry.hpp"

namespace plimsoll {

@declarations@
}  // namespace plimsoll

namespace @namespace@ {

const Registry<@type@>& @function@() {
    static const Registry<@type@> registry = [] {
        Registry<@type@> filled;
@calls@        return filled;
    }();
    return registry;
}

}  // namespace @namespace@
]])
    target_sources(${target} PRIVATE ${source})
endfunction()
