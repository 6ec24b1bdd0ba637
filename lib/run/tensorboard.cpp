#include "run/tensorboard.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <system_error>

#include "core/error.hpp"

namespace sst::run {
namespace {

constexpr std::array<uint32_t, 256> make_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1U) != 0 ? 0x82F63B78U : 0U);
    table[i] = value;
  }
  return table;
}

/// TFRecord rotates and shifts the CRC, since a CRC of bytes that hold their own CRC says little.
uint32_t masked(uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xA282EAD8U; }

template <class Unsigned>
std::string little_endian(Unsigned value) {
  std::string bytes;
  for (size_t i = 0; i < sizeof(value); ++i) bytes += static_cast<char>((value >> (8 * i)) & 0xFFU);
  return bytes;
}

/// Protocol buffers' wire format: a varint key of field number and type, then the value.
enum Wire : uint64_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

std::string varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>((value & 0x7FU) | 0x80U);
  return bytes + static_cast<char>(value);
}
std::string key(uint64_t field, Wire wire) { return varint(field << 3 | wire); }
std::string varint_field(uint64_t field, uint64_t value) { return key(field, kVarint) + varint(value); }
std::string bytes_field(uint64_t field, std::string_view bytes) {
  return key(field, kBytes) + varint(bytes.size()) + std::string(bytes);
}
std::string double_field(uint64_t field, double value) {
  return key(field, kFixed64) + little_endian(std::bit_cast<uint64_t>(value));
}
std::string float_field(uint64_t field, float value) {
  return key(field, kFixed32) + little_endian(std::bit_cast<uint32_t>(value));
}

double unix_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string event(int64_t step, const std::string& body) {
  return double_field(1, unix_seconds()) + varint_field(2, static_cast<uint64_t>(step)) + body;
}

std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "localhost";
  std::string clean;
  for (const char* c = name.data(); *c != '\0'; ++c) clean += std::isalnum(static_cast<unsigned char>(*c)) ? *c : '-';
  return clean;
}

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  static constexpr auto kTable = make_table();
  uint32_t crc = 0xFFFFFFFFU;
  for (const char c : bytes) crc = kTable[(crc ^ static_cast<unsigned char>(c)) & 0xFFU] ^ (crc >> 8);
  return ~crc;
}

std::string tf_record(std::string_view bytes) {
  const std::string length = little_endian(static_cast<uint64_t>(bytes.size()));
  return length + little_endian(masked(crc32c(length))) + std::string(bytes) + little_endian(masked(crc32c(bytes)));
}

EventFile::EventFile(const std::filesystem::path& folder, std::optional<int64_t> purge_from) {
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (failure) throw ResourceError("cannot make " + folder.string() + ": " + failure.message());
  const std::string base =
      fmt::format("events.out.tfevents.{:010d}.{}.{}", static_cast<int64_t>(unix_seconds()), host_name(), ::getpid());
  for (int attempt = 0; file_ < 0; ++attempt) {  // two journals of one process in one second
    path_ = folder / (base + "." + std::to_string(attempt));
    file_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
    if (file_ < 0 && errno != EEXIST)
      throw ResourceError("cannot open " + path_.string() + ": " + std::strerror(errno));
  }
  constexpr uint64_t kFileVersion = 3, kSessionLog = 7, kStatus = 1, kStart = 1;
  write(event(0, bytes_field(kFileVersion, "brain.Event:2")));
  if (purge_from) write(event(*purge_from, bytes_field(kSessionLog, varint_field(kStatus, kStart))));
}

EventFile::~EventFile() {
  if (file_ >= 0) ::close(file_);
}

void EventFile::scalars(int64_t step, const std::vector<std::pair<std::string, double>>& values) {
  constexpr uint64_t kSummary = 5, kValue = 1, kTag = 1, kSimpleValue = 2;
  std::string summary;
  for (const auto& [tag, value] : values)
    summary += bytes_field(kValue, bytes_field(kTag, tag) + float_field(kSimpleValue, static_cast<float>(value)));
  write(event(step, bytes_field(kSummary, summary)));
}

void EventFile::write(const std::string& event) {
  const std::string record = tf_record(event);
  if (::write(file_, record.data(), record.size()) != static_cast<ssize_t>(record.size()))
    throw ResourceError("cannot write " + path_.string() + ": " + std::strerror(errno));
}

}  // namespace sst::run
