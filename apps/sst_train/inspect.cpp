#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "checkpoint/store.hpp"
#include "core/text.hpp"
#include "tensor/linalg.hpp"
#include "verb.hpp"

namespace sst::app {
namespace {

/// Every tensor of a checkpoint (or of one safetensors file) under "file/name".
std::map<std::string, torch::Tensor> tensors_of(const std::string& path) {
  std::map<std::string, torch::Tensor> all;
  if (std::filesystem::is_regular_file(path)) {
    for (auto& [name, tensor] : tensor::read_safetensors(path).tensors) all.emplace(name, tensor);
    return all;
  }
  const auto contents = checkpoint::load(checkpoint::find(path, "last"));
  for (const auto& [name, tensor] : contents.model) all.emplace("model/" + name, tensor);
  for (const auto& [name, tensor] : contents.optimizer) all.emplace("optimizer/" + name, tensor);
  for (const auto& [name, tensor] : contents.method) all.emplace("method/" + name, tensor);
  for (const auto& [name, tensor] : contents.averages) all.emplace("averages/" + name, tensor);
  return all;
}

bool same_bits(const torch::Tensor& a, const torch::Tensor& b) {
  if (a.scalar_type() != b.scalar_type() || a.sizes() != b.sizes()) return false;
  const torch::Tensor x = a.contiguous(), y = b.contiguous();
  return std::memcmp(x.data_ptr(), y.data_ptr(), x.nbytes()) == 0;
}

std::string shape_text(const torch::Tensor& tensor) { return fmt::format("[{}]", fmt::join(tensor.sizes(), ", ")); }

/// Prints what differs; true when nothing does.
bool print_difference(const std::string& ours, const std::string& theirs, bool as_json) {
  const auto a = tensors_of(ours), b = tensors_of(theirs);
  std::vector<std::string> lines;
  for (const auto& [name, tensor] : a) {
    const auto found = b.find(name);
    if (found == b.end()) {
      lines.push_back(name + ": only in " + ours);
    } else if (!same_bits(tensor, found->second)) {
      const bool comparable = tensor.sizes() == found->second.sizes();
      lines.push_back(
          comparable
              ? fmt::format("{}: differs, by {:.3g} at most", name,
                            (tensor.to(torch::kFloat64) - found->second.to(torch::kFloat64)).abs().max().item<double>())
              : fmt::format("{}: {} and {}", name, shape_text(tensor), shape_text(found->second)));
    }
  }
  for (const auto& [name, tensor] : b)
    if (a.count(name) == 0) lines.push_back(name + ": only in " + theirs);
  if (as_json) {
    fmt::print(
        "{}\n",
        nlohmann::ordered_json({{"equal", lines.empty()}, {"tensors", a.size()}, {"differences", lines}}).dump(2));
  } else {
    for (const std::string& line : lines) fmt::print("{}\n", line);
    fmt::print("{}\n", lines.empty() ? fmt::format("{} tensors, equal bit for bit", a.size())
                                     : fmt::format("{} of {} tensors differ", lines.size(), a.size()));
  }
  return lines.empty();
}

void print_tensors(const std::string& path, bool with_spectra, bool as_json) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  if (!as_json) fmt::print("{:<60} {:<8} {:<16} {:>12} {:>12}\n", "tensor", "type", "shape", "norm", "max |x|");
  for (const auto& [name, tensor] : tensors_of(path)) {
    const auto values = tensor.to(torch::kFloat64);
    const double norm = values.norm().item<double>(), most = values.numel() ? values.abs().max().item<double>() : 0;
    const bool spectrum = with_spectra && tensor.dim() == 2 && tensor.numel() > 0;
    std::string singular;
    if (spectrum) {
      const auto s = torch::linalg_svdvals(values);
      singular = fmt::format("σ_max {:.4g}, σ_min {:.4g}, effective rank {:.1f}", s.max().item<double>(),
                             s.min().item<double>(), tensor::effective_rank(s));
    }
    if (as_json) {
      json.push_back({{"name", name},
                      {"type", std::string(tensor.dtype().name())},
                      {"shape", tensor.sizes().vec()},
                      {"norm", norm},
                      {"max", most}});
      if (spectrum) json.back()["spectrum"] = singular;
    } else {
      fmt::print("{:<60} {:<8} {:<16} {:>12.5g} {:>12.5g}  {}\n", name, std::string(tensor.dtype().name()),
                 shape_text(tensor), norm, most, singular);
    }
  }
  if (as_json) fmt::print("{}\n", json.dump(2));
}

}  // namespace

Action add_inspect(CLI::App& command) {
  struct Options {
    std::string path, other;
    bool spectra = false;
  };
  const auto options = std::make_shared<Options>();
  command.description("tensors of a checkpoint with shapes, norms and singular values; every file is checked first");
  command.add_option("path", options->path, "a run directory, a checkpoint or a .safetensors file")
      ->required()
      ->type_name("RUN|CKPT|FILE");
  command.add_option("--diff", options->other, "compare with another one, bit for bit; exit 4 when they differ")
      ->type_name("OTHER");
  command.add_flag("--spectra", options->spectra, "singular values of every matrix");
  examples(command,
           "  sst-train inspect runs/cora_nc/3fa9c1d2-s1\n"
           "  sst-train inspect runs/a/3fa9c1d2-s1 --diff runs/b/3fa9c1d2-s1");
  return [options](const CommonFlags& common) {
    if (!options->other.empty())
      return print_difference(options->path, options->other, common.json) ? ExitCode::kDone : ExitCode::kCheckpoint;
    print_tensors(options->path, options->spectra, common.json);
    return ExitCode::kDone;
  };
}

}  // namespace sst::app
