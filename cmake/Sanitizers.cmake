# sst_sanitize(TARGET)     puts SST_SANITIZE (for example address,undefined) on one of our targets
# SST_TEST_ENVIRONMENT     what the test programs then need in their environment

set(SST_TEST_ENVIRONMENT "")
if(SST_SANITIZE MATCHES address)
  # LibTorch keeps its registries until the process ends, which the leak check would report in every program.
  list(APPEND SST_TEST_ENVIRONMENT ASAN_OPTIONS=detect_leaks=0)
endif()
if(SST_SANITIZE MATCHES undefined)
  list(APPEND SST_TEST_ENVIRONMENT UBSAN_OPTIONS=print_stacktrace=1)
endif()
if(SST_SANITIZE MATCHES thread)
  list(APPEND SST_TEST_ENVIRONMENT "TSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/.ci/tsan.supp")
endif()

function(sst_sanitize target)
  if(SST_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${SST_SANITIZE} -fno-omit-frame-pointer
                                             -fno-sanitize-recover=undefined)
    target_link_options(${target} PRIVATE -fsanitize=${SST_SANITIZE})
  endif()
endfunction()
