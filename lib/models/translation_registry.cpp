#include "models/translation_registry.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "models/euclidean_transformer.hpp"
#include "models/hyperbolic_transformer.hpp"
#include "nn/activation.hpp"

namespace sst::models {

const Registry<TranslationGeometry>& geometries() {
  static const Registry<TranslationGeometry> all = [] {
    Registry<TranslationGeometry> list("geometry");
    list.add("euclidean", euclidean_transformer());
    list.add("lorentz", hyperbolic_transformer());
    return list;
  }();
  return all;
}

std::vector<std::string> translation_geometries() { return geometries().names(); }

std::vector<std::string> translation_activations() { return nn::activation_names(); }

void check_options(const TranslationOptions& options, const TranslationVocabulary& vocabulary) {
  if (options.hidden_size < 1 || options.num_heads < 1 || options.hidden_size % options.num_heads != 0)
    throw UserError(fmt::format("'model.num_heads' is {}, which does not divide 'model.hidden_size', {}",
                                options.num_heads, options.hidden_size));
  if (options.tie_embeddings == "all" && vocabulary.source_size != vocabulary.target_size)
    throw UserError(fmt::format("'model.tie_embeddings' is 'all', but there are {} source words and {} target words",
                                vocabulary.source_size, vocabulary.target_size),
                    "use one joint vocabulary, or tie_embeddings: decoder");
  geometries().at(options.geometry).check(options);
}

std::vector<std::string> lorentz_parameters(const TranslationOptions& options) {
  if (!geometries().at(options.geometry).has_points) return {};
  std::vector<std::string> names{"encoder.embed.words.weight"};
  if (options.tie_embeddings != "all") names.push_back("decoder.embed.words.weight");
  if (options.tie_embeddings == "none") names.push_back("generator.cls");
  return names;
}

std::shared_ptr<TranslationModel> make_translation_model(const TranslationOptions& options,
                                                         const TranslationVocabulary& vocabulary,
                                                         const nn::Build& build) {
  check_options(options, vocabulary);
  return std::make_shared<TranslationModel>(options, vocabulary, geometries().at(options.geometry), build);
}

}  // namespace sst::models
