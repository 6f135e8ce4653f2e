# bin/plimsoll, lib/libplimsoll.a, include/plimsoll/<room>/..., share/plimsoll/{hardware_db,scenarios}, the CMake package.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/plimsoll)

install(TARGETS plimsoll EXPORT plimsollTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(TARGET plimsoll_program)
    install(TARGETS plimsoll_program RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}
    model/*.hpp simulator/*.hpp calibrate/*.hpp detect/*.hpp scenarios/*.hpp)
list(FILTER headers EXCLUDE REGEX "^calibrate/cuda/")
foreach(header IN LISTS headers)
    get_filename_component(room ${header} DIRECTORY)
    install(FILES ${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/plimsoll/${room})
endforeach()

foreach(data hardware_db scenarios)
    if(IS_DIRECTORY ${PROJECT_SOURCE_DIR}/${data})
        install(DIRECTORY ${data} DESTINATION ${CMAKE_INSTALL_DATADIR}/plimsoll
            FILES_MATCHING PATTERN "*.json" PATTERN "*.md")
    endif()
endforeach()

install(EXPORT plimsollTargets NAMESPACE plimsoll:: DESTINATION ${package_dir})
configure_package_config_file(cmake/plimsollConfig.cmake.in ${PROJECT_BINARY_DIR}/plimsollConfig.cmake
    INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/plimsollConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/plimsollConfig.cmake ${PROJECT_BINARY_DIR}/plimsollConfigVersion.cmake
    DESTINATION ${package_dir})
