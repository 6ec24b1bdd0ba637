#include "recipe/load.hpp"
#include "run/recipe_schema.hpp"
#include "tests/fuzz/target.hpp"

/// A recipe, of any size and shape.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto schema = sst::run::recipe_schema();
  sst::fuzz::expect_refusal_or_sense([&] {
    sst::recipe::Diagnostics diagnostics;
    const auto recipe =
        sst::recipe::load_text(std::string(sst::fuzz::text_of(data, size)), "recipe.yaml", {}, schema, diagnostics);
    diagnostics.render(false);
    if (!diagnostics.has_errors()) recipe.to_yaml();
  });
  return 0;
}
