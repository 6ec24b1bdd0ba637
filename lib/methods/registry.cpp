#include "methods/registry.hpp"

#include "methods/dora.hpp"
#include "methods/factored.hpp"
#include "methods/full.hpp"
#include "methods/galore.hpp"
#include "methods/lora.hpp"
#include "methods/relora.hpp"
#include "methods/sst.hpp"
#include "methods/vera.hpp"

namespace sst::methods {
namespace {

template <class M, class Options>
MethodEntry entry(const std::string& doc) {
  return {.doc = doc,
          .describe =
              [](recipe::Schema& schema, const std::string& name) {
                schema.describe<Options>("method", recipe::only_when("method.name", {name}));
              },
          .make = [](const recipe::Recipe& recipe, const MethodContext& context) -> std::unique_ptr<Method> {
            return std::make_unique<M>(recipe.read<Options>("method"), context);
          }};
}

}  // namespace

const Registry<MethodEntry>& registry() {
  static const Registry<MethodEntry> methods = [] {
    Registry<MethodEntry> list("method");
    list.add("full", entry<Full, FullOptions>("every matrix dense, all parameters trained"));
    list.add("lora", entry<Lora, LoraOptions>("a frozen matrix and a trained low-rank update"));
    list.add("relora", entry<Relora, ReloraOptions>("LoRA whose update is merged and restarted at an interval"));
    list.add("galore", entry<Galore, GaloreOptions>("dense matrices, moments of the gradient's projection to rank r"));
    list.add("dora", entry<Dora, AdapterOptions>("LoRA whose rows have a trained length apart from their direction"));
    list.add("vera", entry<Vera, VeraOptions>("trained scales around random matrices that all maps share"));
    list.add("lowrank", entry<Factored, LowRankWeightOptions>(
                            "matrices of low rank, W = U S V^T, moved on their manifold (derived)"));
    list.add("sst", entry<Sst, SstOptions>("sparse spectral training: the full SVD, a few vectors at a time"));
    return list;
  }();
  return methods;
}

}  // namespace sst::methods
