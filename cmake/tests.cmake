# One test program from tests/*.cpp; every test case is an entry of ctest.
find_package(Catch2 REQUIRED)
include(Catch)

file(GLOB test_sources CONFIGURE_DEPENDS tests/*.cpp)
add_executable(plimsoll_tests ${test_sources})
target_link_libraries(plimsoll_tests PRIVATE plimsoll fmt::fmt nlohmann_json::nlohmann_json)
set(catch_arguments "")
if(TARGET Catch2::Catch2WithMain)
    target_link_libraries(plimsoll_tests PRIVATE Catch2::Catch2WithMain)
else()
    target_link_libraries(plimsoll_tests PRIVATE Catch2::Catch2)
    # Version 3 does by itself: a filter that matches no test is a failure.
    set(catch_arguments EXTRA_ARGS --warn NoTests)
endif()
# The CUDA kernels as C++ for an emulated device: its headers stand in for those of the toolkit.
set(emulated_dir ${PROJECT_SOURCE_DIR}/tests/emulated_device)
set(emulated_sources ${emulated_dir}/emulator.cpp ${emulated_dir}/substitutes.cpp
    ${PROJECT_SOURCE_DIR}/calibrate/cuda/decoder_reference.cpp)
foreach(kernels attention_decode attention_prefill attention_prefill_groups attention_reference decoder_step device
        elementwise grouped_matmul prefill_path benches/attention_decode benches/attention_prefill benches/elementwise benches/memory benches/moe
        benches/sampling)
    string(REPLACE "/" "_" name ${kernels})
    set(source ${PROJECT_BINARY_DIR}/emulated/${name}.cpp)
    get_filename_component(bench ${kernels} NAME)
    # The processor's benches have the same names.
    file(CONFIGURE OUTPUT ${source} CONTENT
        "#define register_${bench} register_emulated_${bench}\n#include \"calibrate/cuda/${kernels}.cu\"\n")
    list(APPEND emulated_sources ${source})
endforeach()
add_library(plimsoll_emulated OBJECT ${emulated_sources})
target_include_directories(plimsoll_emulated BEFORE PRIVATE ${emulated_dir} ${PROJECT_SOURCE_DIR})
# nvcc knows loops to unroll, and what lies in registers as two numbers or one.
target_compile_options(plimsoll_emulated PRIVATE -O2 -Wno-unknown-pragmas -fno-strict-aliasing)
target_compile_definitions(plimsoll_emulated PRIVATE PLIMSOLL_SM90A)
target_compile_features(plimsoll_emulated PRIVATE cxx_std_20)
target_sources(plimsoll_tests PRIVATE $<TARGET_OBJECTS:plimsoll_emulated>)
set_source_files_properties(tests/emulated_kernels_test.cpp PROPERTIES INCLUDE_DIRECTORIES ${emulated_dir})
target_compile_definitions(plimsoll_tests PRIVATE PLIMSOLL_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
string(REPLACE "," " " sanitizers "${PLIMSOLL_SANITIZE}")
set_source_files_properties(tests/instruction_sets_test.cpp PROPERTIES COMPILE_DEFINITIONS
    "PLIMSOLL_NM=\"${CMAKE_NM}\";PLIMSOLL_SANITIZED=$<BOOL:${sanitizers}>;PLIMSOLL_LIBRARY=\"$<TARGET_FILE:plimsoll>\"")
target_precompile_headers(plimsoll_tests PRIVATE tests/catch.hpp)
# The runner is configured by macros that must come before the first include.
set_source_files_properties(tests/main.cpp PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(plimsoll_tests PRIVATE -fpch-preprocess)
endif()
plimsoll_own_code(plimsoll_tests)
# Tests do on purpose what clang-tidy warns of (copies, moved-from objects).
set_target_properties(plimsoll_tests PROPERTIES CXX_CLANG_TIDY "")

if(TARGET plimsoll_program)
    target_sources(plimsoll_tests PRIVATE $<TARGET_OBJECTS:plimsoll_command_line>)
    target_include_directories(plimsoll_tests PRIVATE ${generated_include_dir})
    target_compile_definitions(plimsoll_tests PRIVATE PLIMSOLL_BINARY="$<TARGET_FILE:plimsoll_program>")
    add_dependencies(plimsoll_tests plimsoll_program)
endif()

# The longest takes half a minute; sanitizers take ten times as long.
set(test_timeout 300)
if(PLIMSOLL_SANITIZE)
    set(test_timeout 1800)
endif()
catch_discover_tests(plimsoll_tests ${catch_arguments}
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR} PROPERTIES TIMEOUT ${test_timeout})

# The examples are compiled and run as they stand.
file(GLOB example_sources CONFIGURE_DEPENDS examples/*.cpp)
foreach(source IN LISTS example_sources)
    get_filename_component(name ${source} NAME_WE)
    add_executable(example_${name} ${source})
    target_link_libraries(example_${name} PRIVATE plimsoll)
    plimsoll_own_code(example_${name})
    add_test(NAME "example ${name}" COMMAND example_${name} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
endforeach()

# Installs what was built and lets a small project of its own find and use it.
add_test(NAME "the installed package serves a consumer"
    COMMAND ${CMAKE_COMMAND}
        -D build_dir=${PROJECT_BINARY_DIR}
        -D consumer_dir=${PROJECT_SOURCE_DIR}/tests/consumer
        -D generator=${CMAKE_GENERATOR}
        -D compiler=${CMAKE_CXX_COMPILER}
        -D sanitize=${PLIMSOLL_SANITIZE}
        -D bin_dir=${CMAKE_INSTALL_BINDIR}
        -P ${PROJECT_SOURCE_DIR}/tests/consumer/check.cmake)

# Half a minute of simulation, too long for a sanitizer or a debug build.
if(CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT PLIMSOLL_SANITIZE)
    add_test(NAME "queueing theory within 1 percent" COMMAND plimsoll_tests "[.long]"
        WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
    set_tests_properties("queueing theory within 1 percent" PROPERTIES TIMEOUT 600 LABELS long)
endif()

# CUDA is built by a preset of its own; here one file shows that the guest room still compiles, where there is a compiler.
find_program(PLIMSOLL_NVCC nvcc PATHS /usr/local/cuda/bin)
mark_as_advanced(PLIMSOLL_NVCC)
if(PLIMSOLL_NVCC)
    add_test(NAME "a CUDA kernel compiles"
        COMMAND ${PLIMSOLL_NVCC} -std=c++20 -arch=sm_80 -I${PROJECT_SOURCE_DIR} -Xcompiler=-Wall,-Wextra
            -Werror=all-warnings -c ${PROJECT_SOURCE_DIR}/calibrate/cuda/grouped_matmul.cu
            -o ${PROJECT_BINARY_DIR}/cuda_kernel_compiles.o)
else()
    add_test(NAME "a CUDA kernel compiles" COMMAND ${CMAKE_COMMAND} -E echo "skipped: nvcc is not installed")
    set_tests_properties("a CUDA kernel compiles" PROPERTIES SKIP_REGULAR_EXPRESSION "^skipped")
endif()
