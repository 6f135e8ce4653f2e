# How our own code is compiled: cache, optimisation, sanitizers, warnings.

# -O3 buys nothing measurable here and costs build time.
string(REPLACE "-O3" "-O2" CMAKE_CXX_FLAGS_RELEASE "${CMAKE_CXX_FLAGS_RELEASE}")

find_program(PLIMSOLL_CCACHE ccache)
mark_as_advanced(PLIMSOLL_CCACHE)
if(PLIMSOLL_CCACHE AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
    # The sloppiness is what ccache asks for before it caches users of a precompiled header.
    set(CMAKE_CXX_COMPILER_LAUNCHER
        ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
        ${PLIMSOLL_CCACHE})
endif()

if(PLIMSOLL_SANITIZE)
    add_compile_options(-fsanitize=${PLIMSOLL_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${PLIMSOLL_SANITIZE})
endif()
if(PLIMSOLL_FUZZ)
    if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
        message(FATAL_ERROR "PLIMSOLL_FUZZ needs clang (libFuzzer); configure with CXX=clang++")
    endif()
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# Warnings for a target of ours; they do not reach those who use the installed package.
function(plimsoll_own_code target)
    target_compile_options(${target} PRIVATE -Wall -Wextra -Wconversion -Wshadow)
    if(NOT PLIMSOLL_WERROR)
        return()
    endif()
    target_compile_options(${target} PRIVATE -Werror)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
        # g++ 12 warns of string concatenations and of variants in conditional expressions that are right
        # (GCC bugs 105651 and 105562).
        target_compile_options(${target} PRIVATE -Wno-restrict -Wno-maybe-uninitialized)
        # These guess from what the optimiser left over and cry wolf with one g++ release or another.
        foreach(guess stringop-overflow stringop-overread array-bounds
                free-nonheap-object)
            target_compile_options(${target} PRIVATE -Wno-error=${guess})
        endforeach()
        if(CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 13)
            target_compile_options(${target} PRIVATE -Wno-error=dangling-reference)
        endif()
    endif()
endfunction()
