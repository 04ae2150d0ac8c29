# What `cmake --install` puts where: the library, its headers, the package files for find_package(kvsplit),
# and the command.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/kvsplit)

install(TARGETS kvsplit EXPORT kvsplitTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/kvsplit DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE ${PROJECT_SOURCE_DIR}/NOTICE
        DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(EXPORT kvsplitTargets NAMESPACE kvsplit:: DESTINATION ${package_dir})

# A static library leaves its own dependencies to the program that links it; a shared one has them inside.
get_target_property(kvsplit_type kvsplit TYPE)
string(COMPARE EQUAL "${kvsplit_type}" STATIC_LIBRARY KVSPLIT_IS_STATIC)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/kvsplitConfig.cmake.in
                              ${PROJECT_BINARY_DIR}/kvsplitConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/kvsplitConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/kvsplitConfig.cmake ${PROJECT_BINARY_DIR}/kvsplitConfigVersion.cmake
        DESTINATION ${package_dir})

if(TARGET kvsplit_cli)
  # The command finds a shared library that was installed beside it, wherever the prefix is moved.
  file(RELATIVE_PATH lib_from_bin ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR})
  set_target_properties(kvsplit_cli PROPERTIES INSTALL_RPATH "$ORIGIN/${lib_from_bin}")
  install(TARGETS kvsplit_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
