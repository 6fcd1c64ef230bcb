# How our own programs (examples, tests, benchmarks) are compiled. None of this reaches a project that uses dnn.

include(DnnCuda)

add_library(dnn_options INTERFACE)
if(DNN_NATIVE)
  target_compile_options(dnn_options INTERFACE $<IF:$<COMPILE_LANGUAGE:CUDA>,-Xcompiler=-march=native,-march=native>)
endif()
if(DNN_EMULATED)
  target_compile_definitions(dnn_options INTERFACE DNN_CUDA_ON_HOST)
endif()
if(DNN_WARNINGS)
  target_compile_options(dnn_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wconversion>)
  # A model is an aggregate with an empty base (`struct MLP : Chain { ... }`) and options are set by name; GCC 12 then
  # reports every member that is left to its default, which is the point of a default.
  target_compile_options(dnn_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wno-missing-field-initializers>)
endif()
if(DNN_SANITIZE)
  target_compile_options(dnn_options INTERFACE -fsanitize=${DNN_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(dnn_options INTERFACE -fsanitize=${DNN_SANITIZE})
endif()

set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_THREAD_PREFER_PTHREAD ON)

# All the parts that there are: what tests and examples link to.
set(DNN_ALL_PARTS "")
foreach(part IN LISTS DNN_PARTS)
  if(TARGET dnn_${part})
    list(APPEND DNN_ALL_PARTS dnn::${part})
  endif()
endforeach()

# dnn_add_executable(name sources... [LIBRARIES libraries...] [BATCH n] [HOST_ONLY])
#
# A program of this repository, linked to every part of dnn that there is and to LIBRARIES; and, but for HOST_ONLY, its
# twin name_cuda where nvcc is found, for which BATCH joins that many sources in one compilation. `all_cuda` are all twins.
add_custom_target(all_cuda)
function(dnn_add_executable name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "HOST_ONLY" "BATCH" "LIBRARIES")
  add_executable(${name} ${arg_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE dnn_options ${DNN_ALL_PARTS} ${arg_LIBRARIES})
  if(NOT arg_HOST_ONLY)
    dnn_cuda_twin(${name} BATCH ${arg_BATCH})
  endif()
  if(TARGET ${name}_cuda)
    add_dependencies(all_cuda ${name}_cuda)
  endif()
endfunction()
