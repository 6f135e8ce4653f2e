# cmake -D build_dir= -D consumer_dir= -D generator= -D compiler= -D sanitize= -D bin_dir= -P check.cmake
set(scratch ${build_dir}/consumer)
set(prefix ${scratch}/prefix)
file(REMOVE_RECURSE ${scratch})

# An option of an enclosing `ninja test` or `make test` must not leak into the builds below.
unset(ENV{MAKEFLAGS})
unset(ENV{DESTDIR})

function(run)
    execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
    if(NOT status EQUAL 0)
        string(REPLACE ";" " " command "${ARGN}")
        message(FATAL_ERROR "${command}\nended with ${status}:\n${output}")
    endif()
endfunction()

set(flags "")
if(sanitize)
    set(flags -fsanitize=${sanitize})
endif()
run(${CMAKE_COMMAND} --install ${build_dir} --prefix ${prefix})
run(${CMAKE_COMMAND} -S ${consumer_dir} -B ${scratch}/build -G ${generator} -D CMAKE_PREFIX_PATH=${prefix}
    -D CMAKE_CXX_COMPILER=${compiler} -D CMAKE_CXX_FLAGS=${flags})
run(${CMAKE_COMMAND} --build ${scratch}/build)
run(${scratch}/build/consumer)

# Only what was installed may be needed by the installed program.
if(EXISTS ${prefix}/${bin_dir}/plimsoll)
    run(${prefix}/${bin_dir}/plimsoll --version)
endif()
