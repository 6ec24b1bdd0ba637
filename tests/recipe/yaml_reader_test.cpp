#include "recipe/yaml_reader.hpp"

#include "tests/support/catch.hpp"

namespace sst::recipe_test {

using namespace recipe;

namespace {

std::string report(const std::string& text) {
  Diagnostics diagnostics;
  read_yaml(std::make_shared<Source>(Source{"r.yaml", text}), diagnostics);
  return diagnostics.render();
}

Node tree_of(const std::string& text) {
  Diagnostics diagnostics;
  const auto tree = read_yaml(std::make_shared<Source>(Source{"r.yaml", text}), diagnostics);
  diagnostics.throw_if_errors();
  return tree.value();
}

}  // namespace

TEST_CASE("anchors, aliases and merge keys unfold", "[recipe]") {
  const Node tree =
      tree_of("base: &b {lr: 1, eps: 2}\nmore: &m {eps: 3, beta: 4}\noptim: {<<: [*b, *m], lr: 5}\nlist: [*b]\n");
  CHECK(to_flow_yaml(*tree.find("optim")) == "{lr: 5, eps: 2, beta: 4}");
  CHECK(to_flow_yaml(*tree.find("list")) == "[{lr: 1, eps: 2}]");
  CHECK(tree.find("optim")->find("eps")->place.line == 1);
}

TEST_CASE("a bomb of aliases is refused before it unfolds", "[recipe]") {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string below = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + below;
    for (int j = 0; j < 9; ++j) bomb += ", " + below;
    bomb += "]\n";
  }
  CHECK(report(bomb) ==
        "r.yaml:4:45: error: more than 10,000 values, counted through aliases [E-nodes]\n"
        "    4 | a3: &a3 [*a2, *a2, *a2, *a2, *a2, *a2, *a2, *a2, *a2, *a2]\n"
        "      |                                             ^^^\n"
        "   hint: a recipe is read whole before anything starts; make it smaller\n"
        "1 error, 0 warnings. Nothing was started.   (sst-train schema  lists the keys)\n");
}

TEST_CASE("nesting ends at 32 levels, through aliases too", "[recipe]") {
  CHECK(report(std::string(31, '[') + "x" + std::string(31, ']')).empty());
  CHECK(report(std::string(32, '[') + "x" + std::string(32, ']')) ==
        "r.yaml:1:33: error: nested deeper than 32 levels [E-depth]\n"
        "    1 | " +
            std::string(32, '[') + "x" + std::string(32, ']') + "\n      | " + std::string(32, ' ') + "^\n" +
            "1 error, 0 warnings. Nothing was started.   (sst-train schema  lists the keys)\n");
  const std::string half = "a: &a " + std::string(20, '[') + "x" + std::string(20, ']') + "\n";
  CHECK_THAT(report(half + "b: " + std::string(20, '[') + "*a" + std::string(20, ']')), ContainsSubstring("[E-depth]"));
  CHECK_THAT(report(std::string(200'000, '[')), ContainsSubstring("[E-depth]"));
  CHECK_THAT(report(std::string(200'000, '{')), ContainsSubstring("[E-depth]"));
}

TEST_CASE("ten thousand values are read and one more is refused", "[recipe]") {
  std::string list = "[";
  for (int i = 0; i < 9999; ++i) list += "x,";
  CHECK(report(list + "]").empty());
  CHECK_THAT(report(list + "x]"), ContainsSubstring("[E-nodes]"));
}

TEST_CASE("a value knows its line, its column in characters and its length", "[recipe]") {
  const Node tree = tree_of("ä: {käse: 'gut', b: 12}\nc:\nd: x\n");
  const Node& cheese = *tree.find("ä")->find("käse");
  CHECK(cheese.key_place.column == 5);
  CHECK(cheese.place.column == 11);
  CHECK(cheese.place.length == 5);
  CHECK(tree.find("ä")->find("b")->place.column == 21);
  CHECK(tree.find("c")->place.line == 2);  // an empty value stands where its key stands
  CHECK(tree.find("c")->place.column == 1);
  CHECK(tree.find("d")->place.line == 3);
}

TEST_CASE("UTF-8 is checked strictly", "[recipe]") {
  for (const std::string bad : {"\x80", "\xC0\xAF", "\xE0\x80\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80",
                                "\xF8\x88\x80\x80\x80", "\xC3", "\x01", "\x1B"}) {
    CAPTURE(bad);
    CHECK(find_bad_byte("ok " + bad) == 3);
  }
  CHECK(find_bad_byte(std::string("\0", 1)) == 0);
  CHECK(find_bad_byte("\t\r\n é € 𝄞") == std::string::npos);
}

TEST_CASE("quoted and plain texts keep what was written", "[recipe]") {
  const Node tree = tree_of("a: 'null'\nb: null\nc: ~\nd: \"\"\ne: \"\\u00e9\\n\"\nf: |\n  two\n  lines\n");
  CHECK(tree.find("a")->is_scalar());
  CHECK(tree.find("b")->is_null());
  CHECK(tree.find("c")->is_null());
  CHECK(tree.find("d")->is_scalar());
  CHECK(tree.find("e")->text == "é\n");
  CHECK(tree.find("f")->text == "two\nlines\n");
}

TEST_CASE("a written scalar reads back as itself", "[recipe]") {
  for (const std::string text :
       {"a",    "",   "null", "~",    "a b",  " a",  "a ",  "a: b",  "a #b", "#",    "- a",   "-",
        "--- ", "*",  "&a",   "!x",   "[",    "]",   "{a}", "a,b",   "'",    "\"",   "\\",    "\n",
        "a\nb", "\t", "é",    "100%", "@x",   "`",   "a:b", "${x}",  "<<",   "?",    "? a",   "|",
        ">",    "=",  "a=b",  "1e-4", "0x10", "yes", "...", "%YAML", "a  b", "\x7f", "cuda:0"}) {
    CAPTURE(text);
    CHECK(tree_of("k: " + to_yaml_scalar(text) + "\n").find("k")->text == text);
    CHECK(tree_of("{k: [" + to_yaml_scalar(text) + "]}").find("k")->children[0].text == text);
  }
}

}  // namespace sst::recipe_test
