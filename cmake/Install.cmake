# The library as other projects find it (find_package and pkg-config), and the kernels with their kernelspecs.
include(CMakePackageConfigHelpers)
include(cmake/KernelSpec.cmake)

set(adrastea_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/adrastea)
install(TARGETS adrastea EXPORT adrastea-targets FILE_SET HEADERS)
install(EXPORT adrastea-targets NAMESPACE adrastea:: DESTINATION ${adrastea_package_dir})
# A component of its own: what it needs (libzmq, OpenSSL) shall not be asked of those who only write a kernel.
if(TARGET adrastea_testing)
  install(TARGETS adrastea_testing EXPORT adrastea-testing-targets FILE_SET HEADERS)
  install(EXPORT adrastea-testing-targets NAMESPACE adrastea:: DESTINATION ${adrastea_package_dir})
endif()

configure_package_config_file(cmake/adrastea-config.cmake.in adrastea-config.cmake
                              INSTALL_DESTINATION ${adrastea_package_dir})
# Before 1.0 a minor version may break what was promised.
if(PROJECT_VERSION_MAJOR EQUAL 0)
  set(adrastea_compatibility SameMinorVersion)
else()
  set(adrastea_compatibility SameMajorVersion)
endif()
write_basic_package_version_file(adrastea-config-version.cmake COMPATIBILITY ${adrastea_compatibility})
install(FILES ${PROJECT_BINARY_DIR}/adrastea-config.cmake ${PROJECT_BINARY_DIR}/adrastea-config-version.cmake
        DESTINATION ${adrastea_package_dir})

# A shared library brings its own dependencies along; with a static one, whoever links it must name them.
set(adrastea_pc_link "libzmq >= 4.3, libcrypto >= 3.0, fmt, sqlite3 >= 3.37")
if(BUILD_SHARED_LIBS)
  set(adrastea_pc_requires "nlohmann_json >= 3.10")
  set(adrastea_pc_requires_private ${adrastea_pc_link})
else()
  set(adrastea_pc_requires "nlohmann_json >= 3.10, ${adrastea_pc_link}")
  set(adrastea_pc_requires_private)
endif()
# Relative, so that an installation may be moved.
cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX BASE_DIRECTORY ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig
           OUTPUT_VARIABLE adrastea_pc_prefix)
configure_file(cmake/adrastea.pc.in adrastea.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/adrastea.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
if(TARGET adrastea_testing)
  configure_file(cmake/adrastea-testing.pc.in adrastea-testing.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/adrastea-testing.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endif()

# For Jupyter's Python; `pip install` takes it from there.
install(DIRECTORY share/jupyter/provisioner DESTINATION ${CMAKE_INSTALL_DATADIR}/jupyter
        PATTERN tests EXCLUDE PATTERN __pycache__ EXCLUDE PATTERN ".*_cache" EXCLUDE)

foreach(kernel echo lua)
  if(TARGET adrastea-${kernel})
    adrastea_kernelspec(adrastea-${kernel} ${kernel})
  endif()
endforeach()
