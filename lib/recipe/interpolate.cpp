#include "recipe/interpolate.hpp"

#include <fmt/format.h>

#include "core/text.hpp"
#include "recipe/place.hpp"

namespace sst::recipe {
namespace {

constexpr size_t kLongestText = size_t{1} << 16;  ///< ${a}${a} in a chain doubles; it must end before memory does

Interpolated failed(const std::string& id, const std::string& problem, const std::string& hint) {
  return {std::nullopt, id, problem, hint};
}

Interpolated environment_value(const std::string& body, const Interpolation& interpolation) {
  const std::string expression = body.substr(4);
  const size_t dash = expression.find(":-");
  const std::string name = expression.substr(0, dash);
  if (!interpolation.environment_allowed)
    return failed("E-interpolation", fmt::format("'${{{}}}' is read in paths only", body),
                  "the environment never changes what a recipe computes");
  const auto value = interpolation.environment(name);
  if (value && !value->empty()) {
    if (find_bad_byte(*value) != std::string::npos)
      return failed("E-environment", fmt::format("environment variable {} is not UTF-8 text", name), "");
    return {*value, {}, {}, {}};
  }
  if (dash != std::string::npos) return {expression.substr(dash + 2), {}, {}, {}};
  return failed("E-environment", fmt::format("environment variable {} is not set", name),
                fmt::format("set it, or give a default: ${{env:{}:-...}}", name));
}

Interpolated expansion_of(const std::string& body, const Interpolation& interpolation) {
  if (starts_with(body, "env:")) return environment_value(body, interpolation);
  if (body == "recipe_dir") return {interpolation.recipe_dir, {}, {}, {}};
  std::string problem;
  if (auto value = interpolation.value(body, problem)) return {std::move(value), {}, {}, {}};
  return failed("E-interpolation", fmt::format("'${{{}}}' {}", body, problem), "write '$${' for a literal '${'");
}

}  // namespace

Interpolated interpolate(const std::string& text, const Interpolation& interpolation) {
  std::string result;
  for (size_t i = 0; i < text.size();) {
    if (text.compare(i, 3, "$${") == 0) {
      result += "${";
      i += 3;
      continue;
    }
    if (text.compare(i, 2, "${") != 0) {
      result += text[i++];
      continue;
    }
    const size_t end = text.find('}', i);
    if (end == std::string::npos)
      return failed("E-interpolation", "'${' without '}'", "write '$${' for a literal '${'");
    const Interpolated expansion = expansion_of(text.substr(i + 2, end - i - 2), interpolation);
    if (!expansion.text) return expansion;
    result += *expansion.text;
    if (result.size() > kLongestText)
      return failed("E-interpolation", fmt::format("becomes longer than {} bytes", with_thousands(kLongestText)), "");
    i = end + 1;
  }
  return {result, {}, {}, {}};
}

std::string escape_interpolation(const std::string& text) {
  std::string escaped;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text.compare(i, 2, "${") == 0) escaped += '$';
    escaped += text[i];
  }
  return escaped;
}

}  // namespace sst::recipe
