# cmake -DFOLDER=checkout -DNUMBER=1.2.3 -DOUTPUT=version.cpp -P write_version.cmake
# Outside a checkout (a tarball) or without git the commit is empty.
execute_process(COMMAND git describe --always --dirty --exclude=* WORKING_DIRECTORY ${FOLDER}
                OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  set(commit "")
endif()
file(CONFIGURE OUTPUT ${OUTPUT} CONTENT [[
#include "core/version.hpp"

namespace sst {

std::string_view version_number() { return "@NUMBER@"; }
std::string_view version_commit() { return "@commit@"; }

}  // namespace sst
]] @ONLY)  # left alone when nothing changed
