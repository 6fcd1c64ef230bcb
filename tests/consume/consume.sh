#!/usr/bin/env bash
# Uses dnn as a stranger would, from an empty folder:
#
#   consume.sh plain           the g++ line that the README gives
#   consume.sh add_subdirectory
#   consume.sh find_package    after cmake --install
#   consume.sh mixed           objects of different configurations, which must not link
#   consume.sh minimal         an installed dnn::dnn on a machine that lacks curl, libzip and the rest
set -euo pipefail

here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
root=$(readlink -f "$here/../..")
scratch=$(mktemp -d "${TMPDIR:-/tmp}/dnn-consume-XXXXXX")
trap 'rm -rf "$scratch"' EXIT

project() {
  mkdir "$scratch/project"
  cp "$here/CMakeLists.txt" "$here/main.cpp" "$here/core_only.cpp" "$scratch/project"
  cmake -S "$scratch/project" -B "$scratch/build" -G Ninja "$@"
  cmake --build "$scratch/build"
  cd "$scratch"
  build/consume
  build/core_only
}

install_to() {
  cmake -S "$root" -B "$scratch/dnn" -G Ninja -DDNN_BUILD_TESTS=OFF -DDNN_BUILD_EXAMPLES=OFF -DDNN_BUILD_BENCHMARKS=OFF "${@:2}"
  cmake --install "$scratch/dnn" --prefix "$1"
}

case ${1:-} in
  plain)
    line=$(python3 "$root/tests/readme/extract.py" --compile-line)
    mkdir "$scratch/plain"
    cd "$scratch/plain"
    cp "$here/main.cpp" .
    ln -s "$root/include" include
    # The README compiles a program of its own name; this one takes its place.
    line=$(sed -E 's/[^ ]+\.cpp/main.cpp/; s/-o +[^ ]+//' <<<"$line")
    printf '%s\n' "$line"
    bash -euo pipefail -c "$line"
    ./a.out
    ;;
  mixed)
    cd "$scratch"
    printf '#include "dnn/autograd/variable.hpp"\n%s\n' 'dnn::Variable f(const dnn::Variable& x) { return x; }' >f.cpp
    printf '#include "dnn/autograd/variable.hpp"\n%s\n' 'dnn::Variable f(const dnn::Variable&);
int main() { return f(dnn::Variable()).defined(); }' >main.cpp
    compile=("${CXX:-c++}" -std=c++20 -c -I "$root/include" -I /usr/include/eigen3)
    "${compile[@]}" main.cpp
    "${compile[@]}" f.cpp
    "${CXX:-c++}" main.o f.o -o same
    "${compile[@]}" -DDNN_CUDA_ON_HOST f.cpp
    if "${CXX:-c++}" main.o f.o -o mixed 2>mixed.txt; then
      echo "objects of different configurations link"
      exit 1
    fi
    grep 'undefined reference.*dnn::cpu_0::Variable' mixed.txt
    ;;
  add_subdirectory) project -DDNN_SOURCE_DIR="$root" ;;
  find_package)
    install_to "$scratch/prefix"
    project -DCMAKE_PREFIX_PATH="$scratch/prefix"
    ;;
  minimal)
    without=(-DCMAKE_DISABLE_FIND_PACKAGE_{LibZip,ZLIB,cereal,CURL,OpenSSL,nlohmann_json}=ON)
    install_to "$scratch/prefix" "${without[@]}"
    mkdir "$scratch/project"
    cp "$here/core_only.cpp" "$scratch/project"
    cat >"$scratch/project/CMakeLists.txt" <<'TEXT'
cmake_minimum_required(VERSION 3.25)
project(minimal LANGUAGES CXX)
find_package(dnn REQUIRED)
add_executable(core_only core_only.cpp)
target_link_libraries(core_only PRIVATE dnn::dnn)
find_package(dnn QUIET COMPONENTS training)
if(dnn_FOUND OR NOT dnn_NOT_FOUND_MESSAGE MATCHES "dnn::training")
  message(FATAL_ERROR "dnn::training cannot be there, and the message says why: ${dnn_NOT_FOUND_MESSAGE}")
endif()
TEXT
    cmake -S "$scratch/project" -B "$scratch/build" -G Ninja -DCMAKE_PREFIX_PATH="$scratch/prefix" "${without[@]}"
    cmake --build "$scratch/build"
    "$scratch/build/core_only"
    ;;
  *)
    sed -n 's/^# \{0,1\}//p' "${BASH_SOURCE[0]}" | sed 1d
    exit 2
    ;;
esac
