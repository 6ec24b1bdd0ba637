#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "recipe/diagnostics.hpp"
#include "recipe/documents.hpp"
#include "recipe/overrides.hpp"
#include "recipe/recipe.hpp"
#include "recipe/schema.hpp"

namespace sst::recipe {

struct LoadOptions {
  std::vector<std::string> overrides = {};  ///< as typed, left to right
  BuiltinRecipes builtin = {};              ///< where `builtin:NAME` comes from
  /// For ${env:NAME}; the process environment when empty.
  std::function<std::optional<std::string>(const std::string& name)> environment = {};
};

/// Reads, merges, overrides, types and checks a recipe ("builtin:NAME" too) in one pass that reports every
/// problem to `diagnostics`. What comes back is complete even then: a refused value is replaced by its
/// default, and Recipe::sound() says so. Nothing but the named files is read.
///
///     recipe::Diagnostics diagnostics;
///     const recipe::Recipe recipe = recipe::load(path, {.overrides = extras}, schema, diagnostics);
///     const auto lora = recipe.read<LoraOptions>("method");
///     if (lora.rank > 64) diagnostics.error("E-rank", recipe.place("method.rank"), "…", "use at most 64");
///     diagnostics.throw_if_errors();
Recipe load(const std::filesystem::path& path, const LoadOptions& options, const Schema& schema,
            Diagnostics& diagnostics);

/// The same for a text; `name` stands where the file's name would.
Recipe load_text(const std::string& text, const std::string& name, const LoadOptions& options, const Schema& schema,
                 Diagnostics& diagnostics);

/// The last stage alone: types and checks a document under overrides of the command line and of a sweep's
/// point. What the point sets is dropped, with a note, where it does not apply; the command line wins over
/// the point.
Recipe resolve(const Document& document, const std::vector<Override>& point, const LoadOptions& options,
               const Schema& schema, Diagnostics& diagnostics);

}  // namespace sst::recipe
