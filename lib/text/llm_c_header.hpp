#pragma once

#include <cstddef>
#include <cstdint>

#include "text/token_file.hpp"

namespace sst::text {

/// The header that llm.c puts before tokens: 256 int32, of which magic, version and count are used.
inline constexpr size_t kLlmCHeaderBytes = 1024;
inline constexpr int32_t kGpt2Magic = 20240520, kLlama3Magic = 20240801, kChoiceMagic = 20240522;

constexpr int32_t llm_c_version(TokenType type) { return type == TokenType::kUint16 ? 1 : 7; }

}  // namespace sst::text
