#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// The few parts of TensorFlow's event files that TensorBoard needs for scalars.
namespace sst::run {

/// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78), as in RFC 3720, appendix B.4.
uint32_t crc32c(std::string_view bytes);

/// A TFRecord: length, masked CRC of the length, the bytes, masked CRC of the bytes; little endian.
///   source  tensorflow/core/lib/io/record_writer.h
std::string tf_record(std::string_view bytes);

/// One file `events.out.tfevents.<seconds>.<host>.<pid>` that TensorBoard reads.
///   source  tensorflow/core/util/event.proto, tensorflow/core/framework/summary.proto
class EventFile {
 public:
  /// Makes `folder` where it is missing and a new file in it. `purge_from`: TensorBoard drops what older
  /// files of the folder say about this step and later ones, because the run was resumed before it. Throws
  /// ResourceError.
  explicit EventFile(const std::filesystem::path& folder, std::optional<int64_t> purge_from = {});
  ~EventFile();
  EventFile(const EventFile&) = delete;
  EventFile& operator=(const EventFile&) = delete;

  /// Named values at a step, in one write. A value is stored as float32.
  void scalars(int64_t step, const std::vector<std::pair<std::string, double>>& values);

  const std::filesystem::path& path() const { return path_; }

 private:
  void write(const std::string& event);

  std::filesystem::path path_;
  int file_ = -1;
};

}  // namespace sst::run
