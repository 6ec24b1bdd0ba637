#include "recipe/schema.hpp"

#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "recipe/json_schema.hpp"
#include "recipe/markdown.hpp"
#include "tests/recipe/test_schema.hpp"
#include "tests/support/catch.hpp"

namespace sst::recipe_test {
namespace {

struct OtherRank {
  double rank = 1;
  template <class Field>
  void describe(Field& field) {
    field(rank, "rank", anything(), "a rank that is no whole number");
  }
};

struct SpecialDropout {
  double dropout = 0.7;
  template <class Field>
  void describe(Field& field) {
    field(dropout, "dropout", fraction(), "share of entries that are dropped");
  }
};

}  // namespace

TEST_CASE("a key that two structs describe alike has one entry with both conditions", "[recipe]") {
  const Key* rank = schema().find("method.rank");
  REQUIRE(rank != nullptr);
  REQUIRE(rank->variants.size() == 1);
  CHECK(describe_condition(rank->variants[0]) == "method.name: lora, sst");
  CHECK(schema().find("method.init")->variants.size() == 2);
}

TEST_CASE("two types for one key, and a selector that is no key, are our own mistakes", "[recipe]") {
  Schema wrong = make_schema();
  CHECK_THROWS_AS(wrong.describe<OtherRank>("method"), std::logic_error);
  Schema blind;
  blind.describe<OtherRank>("method", only_when("method.name", {"x"}));
  Diagnostics diagnostics;
  CHECK_THROWS_AS(load_text("recipe_version: 1\n", "r.yaml", {}, blind, diagnostics), std::logic_error);
}

TEST_CASE("the more particular description of a key decides its default", "[recipe]") {
  Schema special = make_schema();
  special.describe<SpecialDropout>("model", only_when("task", {"link_prediction"}));
  const auto dropout = [&](const std::string& task) {
    Diagnostics diagnostics;
    const auto recipe =
        load_text("recipe_version: 1\nname: a\ntask: " + task + "\n", "r.yaml", {}, special, diagnostics);
    diagnostics.throw_if_errors();
    return recipe.text("model.dropout");
  };
  CHECK(dropout("link_prediction") == "0.7");
  CHECK(dropout("node_classification") == "0");
}

TEST_CASE("the JSON Schema knows every key, its doc, its choices and its bounds", "[recipe]") {
  const auto json = json_schema(schema());
  CHECK(json["$schema"] == "http://json-schema.org/draft-07/schema#");
  CHECK(json["required"] == nlohmann::json({"recipe_version"}));
  CHECK(json["additionalProperties"] == false);
  for (const Key& key : schema().keys()) {
    CAPTURE(key.path);
    nlohmann::ordered_json node = json;
    for (const std::string& part : {std::string(), key.path}) {
      if (part.empty()) continue;
      size_t start = 0;
      while (start <= key.path.size()) {
        const size_t dot = std::min(key.path.find('.', start), key.path.size());
        if (node.contains("anyOf")) node = nlohmann::ordered_json(node["anyOf"].back());  // a section with presets
        node = nlohmann::ordered_json(node["properties"][key.path.substr(start, dot - start)]);
        start = dot + 1;
      }
    }
    CHECK(node.contains("description"));
    CHECK_THAT(node["description"].get<std::string>(), ContainsSubstring(key.variants[0].doc));
  }
  const auto& method = json["properties"]["method"]["properties"];
  CHECK(method["name"]["enum"] == nlohmann::json({"full", "lora", "sst"}));
  CHECK(method["name"]["default"] == "full");
  CHECK(method["rank"]["anyOf"][0].dump() == R"({"type":"integer","minimum":1,"maximum":4096})");
  CHECK(json["properties"]["precision"]["anyOf"][0]["enum"] == nlohmann::json({"fp32", "bf16_mixed"}));
  CHECK(json["properties"]["eval"]["properties"]["every"]["default"] == 1000);
  CHECK(json_schema(schema(), "method")["properties"] == method);
  CHECK_THROWS_WITH(json_schema(schema(), "methd"), "there is no section 'methd'");
}

TEST_CASE("the key table has a row for each description of each key", "[recipe]") {
  const std::string text = markdown(schema());
  CHECK_THAT(text, ContainsSubstring(
                       "## `method`\n\nhow linear maps are parametrised and trained\n\n"
                       "| key | type | default | meaning | applies when |\n|---|---|---|---|---|\n"
                       "| `name` | full \\| lora \\| sst | `full` | how linear maps are trained |  |\n"
                       "| `rank` | whole number in [1, 4096] | required | rank of the update | method.name: lora, "
                       "sst |\n"));
  CHECK_THAT(text, ContainsSubstring("| `decode.beam_size` | whole number ≥ 1 | `5` | width of the search |  |\n"));
  CHECK_THAT(text, ContainsSubstring("- `bf16_mixed` = `{compute: bf16, params: fp32}`\n"));
  size_t rows = 0, lines = 0;
  for (const Key& key : schema().keys()) rows += key.variants.size();
  for (size_t at = text.find("\n| `"); at != std::string::npos; at = text.find("\n| `", at + 1)) ++lines;
  CHECK(lines == rows);
}

TEST_CASE("the table for a terminal fits its width", "[recipe]") {
  const std::string text = plain_section(schema(), "method", 60);
  CHECK_THAT(text, ContainsSubstring("method.rank: whole number in [1, 4096]; required\n    rank of the update\n"
                                     "    only when method.name: lora, sst\n"));
  size_t start = 0;
  for (size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', start)) {
    CHECK(character_count(text.substr(start, end - start)) <= 60);
    start = end + 1;
  }
  CHECK_THROWS_WITH(plain_section(schema(), "optimizer"), "there is no section 'optimizer'");
}

}  // namespace sst::recipe_test
