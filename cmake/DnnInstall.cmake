# cmake --install: the headers, and a package for find_package(dnn). Each part has an export of its own, so that a part
# left out here is simply not offered there.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(DNN_PACKAGE_DIR "${CMAKE_INSTALL_DATADIR}/cmake/dnn")

install(DIRECTORY include/ DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" FILES_MATCHING PATTERN "*.hpp")
foreach(part IN LISTS DNN_PARTS)
  if(TARGET dnn_${part})
    install(TARGETS dnn_${part} EXPORT dnn-${part} INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
    install(EXPORT dnn-${part} NAMESPACE dnn:: DESTINATION "${DNN_PACKAGE_DIR}")
  endif()
endforeach()

configure_file(cmake/dnn-config.cmake.in dnn-config.cmake @ONLY)
write_basic_package_version_file(dnn-config-version.cmake COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(
  FILES "${CMAKE_CURRENT_BINARY_DIR}/dnn-config.cmake" "${CMAKE_CURRENT_BINARY_DIR}/dnn-config-version.cmake"
        cmake/DnnCuda.cmake cmake/DnnDependencies.cmake cmake/FindLibZip.cmake
  DESTINATION "${DNN_PACKAGE_DIR}"
)
