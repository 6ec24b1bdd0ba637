#include "run/tensorboard.hpp"

#include <bit>
#include <cstring>
#include <map>
#include <string>

#include "core/file.hpp"
#include "run/journal.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace sst::run;
using sst::testing::TemporaryFolder;

namespace {

/// A reader of its own, from the format's description: nothing is shared with the writer.
uint32_t bitwise_crc32c(std::string_view bytes) {
  uint32_t crc = 0xFFFFFFFF;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int i = 0; i < 8; ++i) crc = (crc & 1) != 0 ? crc >> 1 ^ 0x82F63B78 : crc >> 1;
  }
  return ~crc;
}

template <class Number>
Number load(std::string_view bytes, size_t at) {
  Number value;
  REQUIRE(at + sizeof(value) <= bytes.size());
  std::memcpy(&value, bytes.data() + at, sizeof(value));
  return value;
}

bool mask_holds(uint32_t stored, std::string_view bytes) {
  const uint32_t rotated = stored - 0xA282EAD8;
  return (rotated >> 17 | rotated << 15) == bitwise_crc32c(bytes);
}

std::vector<std::string> records_of(const std::string& file) {
  std::vector<std::string> records;
  for (size_t at = 0; at < file.size();) {
    const auto length = load<uint64_t>(file, at);
    REQUIRE(mask_holds(load<uint32_t>(file, at + 8), file.substr(at, 8)));
    records.push_back(file.substr(at + 12, length));
    REQUIRE(mask_holds(load<uint32_t>(file, at + 12 + length), records.back()));
    at += 16 + length;
  }
  return records;
}

/// One level of a protobuf message: field number → raw values (varints as numbers, the rest as bytes).
struct Message {
  std::multimap<uint64_t, std::string> bytes;
  std::multimap<uint64_t, uint64_t> varints;

  explicit Message(const std::string& raw) {
    size_t at = 0;
    const auto varint = [&] {
      uint64_t value = 0;
      for (int shift = 0;; shift += 7) {
        const auto byte = static_cast<unsigned char>(raw.at(at++));
        value |= static_cast<uint64_t>(byte & 0x7F) << shift;
        if (byte < 0x80) return value;
      }
    };
    while (at < raw.size()) {
      const uint64_t key = varint();
      const uint64_t wire = key & 7;
      if (wire == 0) {
        varints.emplace(key >> 3, varint());
        continue;
      }
      REQUIRE((wire == 1 || wire == 2 || wire == 5));
      const size_t size = wire == 1 ? 8 : wire == 5 ? 4 : varint();
      bytes.emplace(key >> 3, raw.substr(at, size));
      at += size;
    }
  }
  std::string one(uint64_t field) const {
    REQUIRE(bytes.count(field) == 1);
    return bytes.find(field)->second;
  }
};

}  // namespace

TEST_CASE("CRC-32C gives the published check values", "[run]") {
  CHECK(crc32c("123456789") == 0xE3069283);            // the catalogue's check value
  CHECK(crc32c(std::string(32, '\0')) == 0x8A9136AA);  // RFC 3720, B.4
  CHECK(crc32c(std::string(32, '\xff')) == 0x62A8AB43);
  std::string rising;
  for (char c = 0; c < 32; ++c) rising += c;
  CHECK(crc32c(rising) == 0x46DD794E);
  CHECK(crc32c("") == 0);
}

TEST_CASE("an independent reader finds every scalar at its step", "[run]") {
  const TemporaryFolder folder;
  EventFile file(folder / "tb");
  file.scalars(1, {{"train/loss", 2.5}, {"optim/lr", 0.125}});
  file.scalars(300, {{"valid/f1", 0.8125}});
  CHECK(file.path().filename().string().find("events.out.tfevents.") == 0);

  const auto records = records_of(sst::read_file(file.path()));
  REQUIRE(records.size() == 3);
  CHECK(Message(records[0]).one(3) == "brain.Event:2");
  const Message first(records[1]);
  CHECK(first.varints.find(2)->second == 1);
  CHECK(load<double>(first.one(1), 0) > 1.7e9);  // wall time in seconds
  const Message summary(first.one(5));
  REQUIRE(summary.bytes.count(1) == 2);
  const Message value(summary.bytes.find(1)->second);
  CHECK(value.one(1) == "train/loss");
  CHECK(load<float>(value.one(2), 0) == 2.5F);
  const Message second(records[2]);
  CHECK(second.varints.find(2)->second == 300);
  CHECK(load<float>(Message(Message(second.one(5)).one(1)).one(2), 0) == 0.8125F);
}

TEST_CASE("a resumed run tells TensorBoard to forget the steps that are made again", "[run]") {
  const TemporaryFolder folder;
  const Journal journal(folder.path(), {.jsonl = false}, 40);
  const auto entry = *std::filesystem::directory_iterator(folder / "tb");
  const auto records = records_of(sst::read_file(entry.path()));
  REQUIRE(records.size() == 2);
  const Message start(records[1]);
  CHECK(start.varints.find(2)->second == 41);
  CHECK(Message(start.one(7)).varints.find(1)->second == 1);  // SessionLog.START
}

TEST_CASE("two files of one second do not share a name", "[run]") {
  const TemporaryFolder folder;
  const EventFile a(folder / "tb"), b(folder / "tb");
  CHECK(a.path() != b.path());
}
