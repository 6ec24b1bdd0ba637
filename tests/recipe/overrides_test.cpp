#include "recipe/overrides.hpp"

#include "tests/recipe/test_schema.hpp"
#include "tests/support/catch.hpp"

namespace sst::recipe_test {

TEST_CASE("later wins: default, inherited, recipe, overrides from left to right", "[recipe]") {
  const Folder folder;
  folder.write("base.yaml", kHead + "seed: 2\nmodel: {hidden_size: 2}\n");
  const auto path = folder.write("r.yaml", "recipe_version: 1\ninherit: base.yaml\nmodel: {hidden_size: 3}\n");
  Diagnostics diagnostics;
  CHECK(load(path, {}, schema(), diagnostics).text("model.num_layers") == "2");
  CHECK(load(path, {}, schema(), diagnostics).text("seed") == "2");
  CHECK(load(path, {}, schema(), diagnostics).text("model.hidden_size") == "3");
  CHECK(load(path, {{"model.hidden_size=4"}}, schema(), diagnostics).text("model.hidden_size") == "4");
  CHECK(load(path, {{"model.hidden_size=4", "model.hidden_size=5"}}, schema(), diagnostics).text("model.hidden_size") ==
        "5");
  CHECK(diagnostics.empty());
}

TEST_CASE("an override's value is one YAML value typed by the schema", "[recipe]") {
  const Recipe recipe = good("", {"optim.betas=[0.5, 0.6]", "description=\"a: b\"", "train.max_steps=40K",
                                  "data.src_lang=no", "optim={lr: 1E-2, name: adamw}", "precision=bf16_mixed",
                                  "precision.params=fp64", "optim.weight_decay_on=all", "eval.decode.beam_size=2"});
  CHECK(recipe.text("optim.betas") == "[0.5, 0.6]");
  CHECK(recipe.value<std::optional<std::string>>("description") == "a: b");
  CHECK(recipe.text("train.max_steps") == "40000");
  CHECK(recipe.text("data.src_lang") == "no");
  CHECK(recipe.text("optim.lr") == "0.01");
  CHECK(recipe.text("optim.name") == "adamw");
  CHECK(recipe.text("precision.compute") == "bf16");
  CHECK(recipe.text("precision.params") == "fp64");
  CHECK(recipe.text("optim.weight_decay_on") == "[all]");
  CHECK(recipe.text("eval.decode.beam_size") == "2");
}

TEST_CASE("null removes an optional key only", "[recipe]") {
  CHECK_FALSE(good("train: {max_steps: 5}\n", {"train.max_steps=null"}).has("train.max_steps"));
  CHECK(problems("optim: {lr: 0.5}\n", {"optim.lr=null"}) ==
        "command line: error: override 'optim.lr=null': 'optim.lr' is null, which only optional keys may be [E-null]\n"
        "   hint: leave it out for the default, 0.001\n");
  CHECK_FALSE(good("sweep: {seeds: [1]}\n", {"sweep=null"}).given("sweep"));
}

TEST_CASE("+= appends to what the recipe says, or else to the default", "[recipe]") {
  CHECK(good("eval: {metrics: [accuracy]}\n", {"eval.metrics+=f1"}).text("eval.metrics") == "[accuracy, f1]");
  CHECK(good("", {"eval.metrics+=f1"}).text("eval.metrics") == "[loss, f1]");
  CHECK(good("", {"eval.metrics+=[f1, accuracy]"}).text("eval.metrics") == "[loss, f1, accuracy]");
  CHECK(good("optim: {weight_decay_on: a}\n", {"optim.weight_decay_on+=b"}).text("optim.weight_decay_on") == "[a, b]");
}

TEST_CASE("a number addresses an element of a list", "[recipe]") {
  CHECK(good("optim: {betas: [0.9, 0.9]}\n", {"optim.betas.1=0.5"}).text("optim.betas") == "[0.9, 0.5]");
  CHECK(problems("optim: {betas: [0.9, 0.9]}\n", {"optim.betas.2=0.5"}) ==
        "command line: error: override 'optim.betas.2=0.5': the list has 2 elements and no element '2' [E-override]\n"
        "   hint: elements are counted from 0; '+=' appends\n");
  CHECK(good("sweep: {tied: [{method.rank: 1}]}\n", {"sweep.tied.0.method.rank=2"}).text("sweep.tied") ==
        "[{method.rank: 2}]");
  CHECK(good("", {"sweep.axes.method.name=[full]"}).text("sweep.axes") == "{method.name: [full]}");
}

TEST_CASE("keys of the former method are dropped and named when an override changes the method", "[recipe]") {
  const std::string body = "method: {name: sst, rank: 2, sampling: uniform, iteration_interval: 5}\n";
  Diagnostics diagnostics;
  const Recipe recipe = load_body(body, diagnostics, {"method.name=lora"});
  CHECK_FALSE(diagnostics.has_errors());
  CHECK(diagnostics.render() ==
        "command line: note: override 'method.name=lora': dropped 'method.iteration_interval', 'method.sampling': not "
        "used when "
        "'method.name' is 'lora'\n");
  CHECK(recipe.text("method.rank") == "2");
  CHECK_FALSE(recipe.has("method.sampling"));
  // What the command line itself asks for is not dropped.
  CHECK(problems(body, {"method.name=lora", "method.sampling=top_r"}) ==
        "command line: error: override 'method.sampling=top_r': 'method.sampling' is not used when 'method.name' is "
        "'lora' "
        "[E-not-applicable]\n   hint: remove it; it belongs to sst\n"
        "command line: note: override 'method.name=lora': dropped 'method.iteration_interval': not used when "
        "'method.name' is "
        "'lora'\n");
}

TEST_CASE("a flag's spelling is answered with ours", "[recipe]") {
  const auto hint_of = [](std::vector<std::string> arguments) {
    Diagnostics diagnostics;
    parse_overrides(arguments, schema(), diagnostics);
    REQUIRE(diagnostics.all().size() == 1);
    return diagnostics.all()[0].hint;
  };
  CHECK(hint_of({"--lr", "1e-3"}) == "recipe keys take no dashes: write optim.lr=1e-3");
  CHECK(hint_of({"--optim.lr=1e-3"}) == "recipe keys take no dashes: write optim.lr=1e-3");
  CHECK(hint_of({"--learning-rate", "-1"}) == "recipe keys take no dashes: write optim.lr=-1");
  CHECK(hint_of({"--lora-rank"}) == "recipe keys take no dashes: write method.rank=VALUE");
  CHECK(hint_of({"--grad-clp=3"}) == "recipe keys take no dashes: write optim.grad_clip=3");
  CHECK(hint_of({"--zzz"}) == "'--help' lists the flags; recipe keys are written as key.sub=value");
}

TEST_CASE("after a flag's spelling the next override is still read", "[recipe]") {
  Diagnostics diagnostics;
  const auto overrides = parse_overrides({"--lr", "seed=3"}, schema(), diagnostics);
  REQUIRE(overrides.size() == 1);
  CHECK(overrides[0].path == "seed");
}

}  // namespace sst::recipe_test
