#include "recipe/options_yaml.hpp"

#include <optional>
#include <vector>

#include "recipe/load.hpp"
#include "tests/support/catch.hpp"

namespace sst::recipe {
namespace {

struct WrittenOptions {
  int64_t rank = 8;
  std::optional<double> alpha, scale;
  std::vector<std::string> targets = {"*"};
  OneOrMany<Path> files = {};

  template <class Field>
  void describe(Field& field) {
    field(rank, "rank", at_least(1), "");
    field(alpha, "alpha", anything(), "");
    field(scale, "scale", anything(), "");
    field(targets, "targets", anything(), "");
    field(files, "files", anything(), "");
  }
};

}  // namespace

TEST_CASE("a section written from its struct reads back as the same values", "[recipe]") {
  WrittenOptions options;
  options.rank = 3;
  options.scale = 1e-5;
  options.files = {{Path{"a ${b}: c"}}};
  Schema schema;
  schema.describe<WrittenOptions>("method");
  Diagnostics diagnostics;
  const Recipe recipe =
      load_text("recipe_version: 1\nmethod: " + section_yaml(options) + "\n", "text", {}, schema, diagnostics);
  INFO(diagnostics.render());
  REQUIRE_FALSE(diagnostics.has_errors());
  const auto read = recipe.read<WrittenOptions>("method");
  CHECK(read.rank == 3);
  CHECK_FALSE(read.alpha);
  CHECK(read.scale == 1e-5);
  CHECK(read.targets == std::vector<std::string>{"*"});
  CHECK(read.files == options.files);
}

}  // namespace sst::recipe
