#pragma once

// In front of a function of plain loops: the compiler makes vector instructions of them, once for each kind of processor,
// and the right one is chosen when the program starts. Such functions inline nothing but [[gnu::always_inline]].
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define SST_FOR_EACH_CPU \
  __attribute__((optimize("O3,no-trapping-math"), target_clones("arch=skylake-avx512,avx2,default")))
#else
#define SST_FOR_EACH_CPU
#endif
