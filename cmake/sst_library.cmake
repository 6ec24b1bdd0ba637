# sst_warnings(TARGET)    our own code is held to these; headers of other projects are system includes
# sst_library(NAME DEPENDS a b … [TORCH] [LINK x …])   one static library per folder of lib/
#
# DEPENDS lists the folders it may include, which is the arrow diagram of docs/architecture.md; .ci/check_layers.py
# refuses any other include. TORCH libraries share the one precompiled header that sst_tensor builds.

add_library(sst_torch INTERFACE)
target_include_directories(sst_torch SYSTEM BEFORE INTERFACE ${CMAKE_BINARY_DIR}/system_fmt)
target_link_libraries(sst_torch INTERFACE ${TORCH_LIBRARIES})
target_include_directories(sst_torch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
# at::parallel_for is a template of LibTorch's headers: without OpenMP in our own flags it runs on one thread. A loop
# that calls std::sqrt becomes vector instructions only where errno need not be set.
target_link_libraries(sst_torch INTERFACE OpenMP::OpenMP_CXX)
target_compile_options(sst_torch INTERFACE -fno-math-errno)

# A file's own code compiles in under a second; instantiating what LibTorch's headers leave pending takes four more in
# every translation unit, precompiled or not. So a target's files are compiled a few at a time. The tidy preset compiles
# them one by one, which shows a file that leans on its neighbour's includes.
if(NOT DEFINED CMAKE_UNITY_BUILD)
  set(CMAKE_UNITY_BUILD ON)
endif()
set(CMAKE_UNITY_BUILD_BATCH_SIZE 8)

function(sst_warnings target)
  # -Wno-restrict: GCC 12 sees overlaps in std::string that are not there (GCC bug 105651).
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wshadow $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
  if(SST_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
  sst_sanitize(${target})
endfunction()

function(sst_use_torch target)
  target_link_libraries(${target} PUBLIC sst_torch)
  if(NOT target STREQUAL sst_tensor)
    target_precompile_headers(${target} REUSE_FROM sst_tensor)
  endif()
endfunction()

function(sst_library name)
  cmake_parse_arguments(ARG "TORCH" "" "DEPENDS;LINK" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cpp ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.hpp)
  add_library(sst_${name} STATIC ${sources})
  set_target_properties(sst_${name} PROPERTIES LINKER_LANGUAGE CXX)
  target_include_directories(sst_${name} PUBLIC ${CMAKE_SOURCE_DIR}/lib)
  foreach(dependency ${ARG_DEPENDS})
    target_link_libraries(sst_${name} PUBLIC sst_${dependency})
  endforeach()
  target_link_libraries(sst_${name} PUBLIC ${ARG_LINK})
  sst_warnings(sst_${name})
  if(ARG_TORCH)
    sst_use_torch(sst_${name})
  endif()
endfunction()
