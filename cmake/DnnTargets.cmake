# dnn::dnn, dnn::serializers, dnn::datasets, dnn::training and dnn::cloud: header-only targets, one for each part whose
# packages are there. Someone who wants only dnn::dnn needs only Eigen.

foreach(part IN LISTS DNN_PARTS)
  dnn_find_packages(${part})
  if(DNN_${part}_MISSING)
    list(JOIN DNN_${part}_MISSING ", " missing)
    if(part STREQUAL "dnn")
      message(FATAL_ERROR "dnn needs ${missing} (Debian and Ubuntu: apt-get install libeigen3-dev)")
    endif()
    message(STATUS "dnn::${part} is left out: ${missing} not found")
    continue()
  endif()

  add_library(dnn_${part} INTERFACE)
  add_library(dnn::${part} ALIAS dnn_${part})
  set_target_properties(dnn_${part} PROPERTIES EXPORT_NAME ${part})
  target_compile_features(dnn_${part} INTERFACE cxx_std_20)
  target_include_directories(dnn_${part} INTERFACE "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>")
  target_link_libraries(dnn_${part} INTERFACE ${DNN_${part}_LINKS})
  foreach(needed IN LISTS DNN_${part}_NEEDS)
    target_link_libraries(dnn_${part} INTERFACE dnn_${needed})
  endforeach()
endforeach()
