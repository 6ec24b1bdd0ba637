#pragma once

#include <cstdint>

#ifdef __CUDACC__
#define SST_ON_EVERY_DEVICE __host__ __device__ __forceinline__
#else
#define SST_ON_EVERY_DEVICE [[gnu::always_inline]] inline
#endif

/// Philox 4x32-10 of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011), for processors and GPUs.
namespace sst::philox {

inline constexpr int kRounds = 10;
inline constexpr uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;  // what the key grows by from round to round

/// One round on one counter block.
SST_ON_EVERY_DEVICE void round(uint32_t& c0, uint32_t& c1, uint32_t& c2, uint32_t& c3, uint32_t k0, uint32_t k1) {
  const uint64_t p0 = uint64_t{0xD2511F53} * c0, p1 = uint64_t{0xCD9E8D57} * c2;
  const uint32_t n0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0, n2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
  c1 = static_cast<uint32_t>(p1);
  c3 = static_cast<uint32_t>(p0);
  c0 = n0;
  c2 = n2;
}

/// The four words of block `block` of stream `index`, into `words`.
SST_ON_EVERY_DEVICE void block(uint64_t block, uint64_t index, uint32_t k0, uint32_t k1, uint32_t* words) {
  uint32_t c0 = static_cast<uint32_t>(block), c1 = static_cast<uint32_t>(block >> 32);
  uint32_t c2 = static_cast<uint32_t>(index), c3 = static_cast<uint32_t>(index >> 32);
  for (int i = 0; i < kRounds; ++i, k0 += kWeyl0, k1 += kWeyl1) round(c0, c1, c2, c3, k0, k1);
  words[0] = c0;
  words[1] = c1;
  words[2] = c2;
  words[3] = c3;
}

}  // namespace sst::philox
