# Every package the build stands on. All come from the system's package manager, but for LibTorch, which comes from
# .deps/torch (unpacked by `make deps`) or from -DCMAKE_PREFIX_PATH=/path/to/libtorch.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG" CACHE STRING "" FORCE)  # -O3 costs build time and gains nothing measurable

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  # A precompiled header defeats ccache unless these checks are relaxed.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CCACHE_PROGRAM})
endif()

if(EXISTS ${CMAKE_SOURCE_DIR}/.deps/torch/share/cmake/Torch/TorchConfig.cmake)
  list(APPEND CMAKE_PREFIX_PATH ${CMAKE_SOURCE_DIR}/.deps/torch)
endif()

find_package(Threads REQUIRED)
find_package(CLI11 REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
set(CAFFE2_STATIC_LINK_CUDA OFF)
find_package(Torch REQUIRED)

# LibTorch's include folder carries its own fmt, newer than the one the system's spdlog was built against. A folder
# that holds nothing but a link to the system's fmt, put before LibTorch's, decides for the system's.
get_target_property(_fmt_include fmt::fmt INTERFACE_INCLUDE_DIRECTORIES)
if(NOT _fmt_include)
  find_path(_fmt_include fmt/core.h REQUIRED)
endif()
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/system_fmt)
file(CREATE_LINK ${_fmt_include}/fmt ${CMAKE_BINARY_DIR}/system_fmt/fmt SYMBOLIC)
