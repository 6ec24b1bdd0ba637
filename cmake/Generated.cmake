# The two sources that the build writes: what the recipes say, and which commit this is. Each is a small library of its
# own, so that a new recipe or a new commit compiles one file and relinks only what asks for it.

# Every recipes/**/*.yaml as text inside the program; recipe/builtin.hpp declares it.
file(GLOB_RECURSE recipe_files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/recipes/*.yaml)
add_custom_command(
  OUTPUT ${CMAKE_BINARY_DIR}/generated/builtin_recipes.cpp
  COMMAND ${CMAKE_COMMAND} -DFOLDER=${CMAKE_SOURCE_DIR}/recipes
          -DOUTPUT=${CMAKE_BINARY_DIR}/generated/builtin_recipes.cpp -P ${CMAKE_SOURCE_DIR}/cmake/embed_recipes.cmake
  DEPENDS ${recipe_files} ${CMAKE_SOURCE_DIR}/cmake/embed_recipes.cmake
  COMMENT "Embedding the recipes"
  VERBATIM)
add_library(sst_builtin_recipes STATIC ${CMAKE_BINARY_DIR}/generated/builtin_recipes.cpp)
target_include_directories(sst_builtin_recipes PUBLIC ${CMAKE_SOURCE_DIR}/lib)
sst_warnings(sst_builtin_recipes)

# Asks git at every build (a few milliseconds) and rewrites the file only when the answer is new; core/version.hpp
# declares it.
add_custom_target(sst_version_source
  COMMAND ${CMAKE_COMMAND} -DFOLDER=${CMAKE_SOURCE_DIR} -DNUMBER=${PROJECT_VERSION}
          -DOUTPUT=${CMAKE_BINARY_DIR}/generated/version.cpp -P ${CMAKE_SOURCE_DIR}/cmake/write_version.cmake
  BYPRODUCTS ${CMAKE_BINARY_DIR}/generated/version.cpp
  COMMENT "Asking git which commit this is"
  VERBATIM)
add_library(sst_version STATIC ${CMAKE_BINARY_DIR}/generated/version.cpp)
add_dependencies(sst_version sst_version_source)
target_include_directories(sst_version PUBLIC ${CMAKE_SOURCE_DIR}/lib)
sst_warnings(sst_version)
