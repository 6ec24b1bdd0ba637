# cmake -DFOLDER=recipes -DOUTPUT=builtin_recipes.cpp -P embed_recipes.cmake
file(GLOB_RECURSE files RELATIVE ${FOLDER} ${FOLDER}/*.yaml)
list(SORT files)
set(entries "")
foreach(file IN LISTS files)
  file(READ ${FOLDER}/${file} text)
  string(FIND "${text}" ")~yaml~" end_mark)
  if(NOT end_mark EQUAL -1)
    message(FATAL_ERROR "${FOLDER}/${file} holds the mark that ends an embedded recipe: )~yaml~")
  endif()
  string(APPEND entries "      {\"${file}\", R\"~yaml~(${text})~yaml~\"},\n")
endforeach()
file(WRITE ${OUTPUT} "#include \"recipe/builtin.hpp\"

namespace sst::recipe {

const std::vector<BuiltinRecipe>& builtin_recipes() {
  static const std::vector<BuiltinRecipe> recipes = {
${entries}  };
  return recipes;
}

}  // namespace sst::recipe
")
