# The packages that each part of dnn needs. Used by our own build and, installed beside dnn-config.cmake, by every
# project that calls find_package(dnn): one list for both.

# Parts in the order in which they build on each other.
set(DNN_PARTS dnn serializers datasets training cloud)

set(DNN_dnn_PACKAGES Eigen3 Threads)
set(DNN_dnn_LINKS Eigen3::Eigen Threads::Threads)

set(DNN_serializers_NEEDS dnn)
set(DNN_serializers_PACKAGES LibZip ZLIB cereal)
set(DNN_serializers_LINKS LibZip::LibZip ZLIB::ZLIB cereal::cereal)

set(DNN_datasets_NEEDS dnn)
set(DNN_datasets_PACKAGES ZLIB CURL OpenSSL)
set(DNN_datasets_LINKS ZLIB::ZLIB CURL::libcurl OpenSSL::Crypto)

set(DNN_training_NEEDS serializers datasets)
set(DNN_training_PACKAGES "")
set(DNN_training_LINKS "")

set(DNN_cloud_PACKAGES CURL nlohmann_json OpenSSL SQLite3 Threads)
set(DNN_cloud_LINKS CURL::libcurl nlohmann_json::nlohmann_json OpenSSL::Crypto SQLite::SQLite3 Threads::Threads)

# Looks for the packages of `part`. Leaves the missing ones in DNN_<part>_MISSING; a part that needs a part with missing
# packages misses the same ones. A macro, because find_package makes targets for the directory it is called in.
macro(dnn_find_packages part)
  set(DNN_${part}_MISSING "")
  foreach(dnn_needed IN LISTS DNN_${part}_NEEDS)
    list(APPEND DNN_${part}_MISSING ${DNN_${dnn_needed}_MISSING})
  endforeach()
  foreach(dnn_package IN LISTS DNN_${part}_PACKAGES)
    find_package(${dnn_package} QUIET)
    if(NOT ${dnn_package}_FOUND)
      list(APPEND DNN_${part}_MISSING ${dnn_package})
    endif()
  endforeach()
  list(REMOVE_DUPLICATES DNN_${part}_MISSING)
endmacro()
