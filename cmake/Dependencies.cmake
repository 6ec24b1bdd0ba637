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
  # A precompiled header defeats ccache unless these checks are relaxed. Paths count from the checkout, so that a second
  # clone finds what the first one compiled.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CCACHE_PROGRAM})
endif()

# In this order: -DCMAKE_PREFIX_PATH=…, the environment's LIBTORCH and CMAKE_PREFIX_PATH, what `make deps` unpacked.
if(DEFINED ENV{LIBTORCH} AND NOT "$ENV{LIBTORCH}" STREQUAL "")
  list(APPEND CMAKE_PREFIX_PATH $ENV{LIBTORCH})
endif()
if(DEFINED ENV{CMAKE_PREFIX_PATH})
  string(REPLACE ":" ";" _prefixes "$ENV{CMAKE_PREFIX_PATH}")
  list(APPEND CMAKE_PREFIX_PATH ${_prefixes})
endif()
if(EXISTS ${CMAKE_SOURCE_DIR}/.deps/torch/share/cmake/Torch/TorchConfig.cmake)
  list(APPEND CMAKE_PREFIX_PATH ${CMAKE_SOURCE_DIR}/.deps/torch)
  # A CUDA build of it was unpacked with the toolkit it was made with, so that none need be installed.
  file(GLOB _nvcc ${CMAKE_SOURCE_DIR}/.deps/nvidia/*/bin/nvcc)
  if(_nvcc AND NOT DEFINED CUDAToolkit_ROOT)
    cmake_path(REMOVE_FILENAME _nvcc OUTPUT_VARIABLE _bin)
    cmake_path(GET _bin PARENT_PATH _bin)
    cmake_path(GET _bin PARENT_PATH CUDAToolkit_ROOT)
    set(CUDA_TOOLKIT_ROOT_DIR ${CUDAToolkit_ROOT})
    set(CMAKE_CUDA_COMPILER ${_nvcc})
  endif()
endif()
# Our kernels carry machine code for these, and later GPUs translate what is there. A CUDA LibTorch insists on its own
# answer, which nothing of ours uses.
set(SST_CUDA_ARCHITECTURES "80;90" CACHE STRING "Compute capabilities that the GPU kernels are compiled for")
if(NOT DEFINED TORCH_CUDA_ARCH_LIST)
  set(TORCH_CUDA_ARCH_LIST 8.0)
endif()

# The linker is the fastest one that is there: the default one needs seconds for each program.
include(CheckLinkerFlag)
foreach(linker mold lld gold)
  check_linker_flag(CXX -fuse-ld=${linker} SST_HAS_${linker})
  if(SST_HAS_${linker})
    add_link_options(-fuse-ld=${linker})
    break()
  endif()
endforeach()

# LibTorch's libraries export parts of libstdc++ (std::filesystem, in 2.11 with holes): the system's own comes first.
add_link_options(LINKER:--push-state,--no-as-needed -lstdc++ LINKER:--pop-state)

find_package(Threads REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(CLI11 REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
set(CAFFE2_STATIC_LINK_CUDA OFF)
set(CMAKE_MESSAGE_LOG_LEVEL ERROR)  # LibTorch warns of a profiler library that its wheel never carries
find_package(Torch REQUIRED)
unset(CMAKE_MESSAGE_LOG_LEVEL)

# An installed program finds the LibTorch it was built with.
set(CMAKE_INSTALL_RPATH ${TORCH_INSTALL_PREFIX}/lib)
set(CMAKE_INSTALL_RPATH_USE_LINK_PATH ON)

# LibTorch's include folder carries its own fmt, newer than the one the system's spdlog was built against. A folder
# that holds nothing but a link to the system's fmt, put before LibTorch's, decides for the system's.
get_target_property(_fmt_include fmt::fmt INTERFACE_INCLUDE_DIRECTORIES)
if(NOT _fmt_include)
  find_path(_fmt_include fmt/core.h REQUIRED)
endif()
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/system_fmt)
file(CREATE_LINK ${_fmt_include}/fmt ${CMAKE_BINARY_DIR}/system_fmt/fmt SYMBOLIC)
