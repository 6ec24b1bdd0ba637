#include <fmt/core.h>

#include <array>
#include <cstring>
#include <string>

#include "core/error.hpp"
#include "core/file.hpp"
#include "text/llm_c_header.hpp"
#include "text/token_file.hpp"

namespace sst::text {
namespace {

constexpr int64_t kExampleStart = 65535;

/// The numbers of one example, in order; refuses to go past its end.
class ExampleReader {
 public:
  ExampleReader(const std::filesystem::path& path, int64_t number, std::string_view rest)
      : path_(path), number_(number), rest_(rest) {}

  [[noreturn]] void fail(const std::string& reason) const {
    throw DataError(fmt::format("'{}', example {}: {}", path_.string(), number_, reason),
                    "copy or write the file again");
  }
  int64_t next() {
    if (rest_.size() < 2) fail("it is cut off");
    uint16_t value = 0;
    std::memcpy(&value, rest_.data(), sizeof value);
    rest_.remove_prefix(sizeof value);
    used_ += 2;
    return value;
  }
  std::vector<int32_t> tokens() {
    std::vector<int32_t> ids(static_cast<size_t>(next()));
    for (int32_t& id : ids) id = static_cast<int32_t>(next());
    return ids;
  }
  int64_t used() const { return used_; }

 private:
  const std::filesystem::path& path_;
  int64_t number_;
  std::string_view rest_;
  int64_t used_ = 0;
};

ChoiceExample read_example(ExampleReader& reader, int64_t most_bytes) {
  ChoiceExample example;
  if (reader.next() != kExampleStart) reader.fail("it does not begin with 65535");
  const int64_t bytes = reader.next();
  if (bytes > most_bytes)
    reader.fail(fmt::format("{} bytes are more than the {} that the header calls the longest", bytes, most_bytes));
  example.index = reader.next();
  example.label = reader.next();
  const int64_t completions = reader.next();
  if (example.label >= completions)
    reader.fail(fmt::format("label {} is not one of {} completions", example.label, completions));
  example.context = reader.tokens();
  for (int64_t i = 0; i < completions; ++i) example.completions.push_back(reader.tokens());
  if (reader.used() != bytes) reader.fail(fmt::format("it says {} bytes and has {}", bytes, reader.used()));
  return example;
}

}  // namespace

std::vector<ChoiceExample> read_choice_file(const std::filesystem::path& path) {
  const std::string bytes = read_file(path);
  const auto fail = [&](const std::string& reason) {
    throw DataError("'" + path.string() + "' is no multiple-choice file: " + reason);
  };
  if (bytes.size() < kLlmCHeaderBytes)
    fail(fmt::format("it ends inside its header: {} bytes of {}", bytes.size(), kLlmCHeaderBytes));
  std::array<int32_t, 4> header{};
  std::memcpy(header.data(), bytes.data(), sizeof header);
  const auto [magic, version, count, longest] = header;
  if (magic != kChoiceMagic) fail(fmt::format("magic {} is not {}", magic, kChoiceMagic));
  if (version != 1) fail(fmt::format("version {} is not 1", version));

  std::vector<ChoiceExample> examples;
  std::string_view rest = std::string_view(bytes).substr(kLlmCHeaderBytes);
  for (int64_t number = 0; number < count; ++number) {
    ExampleReader reader(path, number, rest);
    examples.push_back(read_example(reader, longest));
    rest.remove_prefix(static_cast<size_t>(reader.used()));
  }
  if (!rest.empty()) fail(fmt::format("{} bytes follow its {} examples", rest.size(), count));
  return examples;
}

}  // namespace sst::text
