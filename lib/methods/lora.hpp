#pragma once

#include "methods/adapter_linear.hpp"
#include "methods/low_rank.hpp"

namespace sst::methods {

/// The keys of a frozen matrix with a trained update B A.
struct AdapterOptions : LowRankOptions {
  std::optional<double> alpha;  ///< not given: = rank, so that the scale is 1
  double dropout = 0;

  template <class Field>
  void describe(Field& field) {
    using namespace recipe;
    LowRankOptions::describe(field);
    field(alpha, "alpha", positive(), "the update is scaled by alpha / rank; default: rank, a scale of 1");
    field(dropout, "dropout", between(0, 0.999), "dropout on the input of the update");
  }

  /// For a map of these widths.
  AdapterLinear::Options adapter(const nn::LinearSpec& spec) const;
};

struct LoraOptions : AdapterOptions {
  std::string base_init = "auto";

  template <class Field>
  void describe(Field& field) {
    using namespace recipe;
    AdapterOptions::describe(field);
    field(base_init, "base_init", one_of(kBaseInits),
          "the matrix that is decomposed or frozen: the model's own, or Kaiming-uniform; auto: Kaiming for sst in "
          "Euclidean models, the model's own otherwise");
  }
};

/// The adapter that LoRA and ReLoRA start from.
std::shared_ptr<AdapterLinear> make_adapter(const nn::LinearSpec& spec, const LoraOptions& options, uint64_t seed);

/// LoRA trained from scratch: W₀ is the random initial weight and stays frozen; only the rank-r update B A moves
/// (Hu et al., arXiv 2106.09685; as a pre-training baseline in the SST paper, eq. 1).
class Lora final : public LowRankMethod {
 public:
  Lora(const LoraOptions& options, MethodContext context) : LowRankMethod(options, context), options_(options) {}
  std::vector<std::string> keys_of_states() const override { return {"method.alpha"}; }

 protected:
  std::shared_ptr<nn::LinearMap> make_target(const nn::LinearSpec& spec) override;

 private:
  LoraOptions options_;
};

}  // namespace sst::methods
