# The inner loops of the processor's benches, compiled once for each instruction set that is worth it and chosen at run
# time, so that one program measures any processor of its architecture at its best. Each copy has Eigen under a name of
# its own: else the linker would keep one copy of an inline function for all, and a processor might meet instructions
# that it does not have.
include(CheckCXXSourceCompiles)
check_cxx_source_compiles("
#ifndef __x86_64__
#error
#endif
int main() {}" PLIMSOLL_X86_64)

function(plimsoll_vector_kernels set)
    set(kernels plimsoll_kernels_${set})
    add_library(${kernels} OBJECT calibrate/host/kernels/vector_kernels.cpp)
    target_include_directories(${kernels} PRIVATE ${PROJECT_SOURCE_DIR})
    target_link_libraries(${kernels} PRIVATE Eigen3::Eigen)
    target_compile_definitions(${kernels} PRIVATE PLIMSOLL_INSTRUCTION_SET=${set} Eigen=Eigen_${set})
    plimsoll_own_code(${kernels})
    # What is measured there is this code, so it is compiled for speed, and in every build: functions that are not
    # inlined would be shared with code for other instructions.
    target_compile_options(${kernels} PRIVATE -O3 ${ARGN})
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
        # The compiler's own header of intrinsics leaves undefined on purpose what does not matter (GCC bug 105593).
        target_compile_options(${kernels} PRIVATE -Wno-uninitialized -Wno-maybe-uninitialized)
    endif()
    target_sources(plimsoll PRIVATE $<TARGET_OBJECTS:${kernels}>)
endfunction()

plimsoll_vector_kernels(baseline)
if(PLIMSOLL_X86_64)
    plimsoll_vector_kernels(avx2 -mavx2 -mfma)
    plimsoll_vector_kernels(avx512 -mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma -mprefer-vector-width=512)
    set_property(SOURCE calibrate/host/instruction_sets.cpp PROPERTY COMPILE_DEFINITIONS PLIMSOLL_X86_64)
endif()
