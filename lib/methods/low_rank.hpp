#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "methods/method.hpp"
#include "recipe/words.hpp"

namespace sst::methods {

/// The keys that every low-rank method has.
struct LowRankOptions {
  int64_t rank = 1;
  std::optional<double> lr;  ///< not given: = optim.lr
  std::vector<std::string> targets = {"*"};

  template <class Field>
  void describe(Field& field) {
    using namespace recipe;
    field(rank, "rank", at_least(1).required(), "rank of the trained part of each linear map");
    field(lr, "lr", positive(), "peak learning rate of the low-rank parameters; default: optim.lr");
    field(targets, "targets", anything(),
          "names of the linear maps to replace, as globs; [\"*\"]: every linear map of the blocks");
  }
};

/// Where the matrix comes from that a method decomposes or freezes.
inline const std::vector<std::string> kBaseInits = {"auto", "kaiming_uniform", "model"};

/// Kaiming-uniform with a = √5, the usual default of a linear layer: U(−1/√in, 1/√in). Pure function of (seed, name).
///   returns [rows, in] in the type and on the device of `like`
torch::Tensor kaiming_uniform(const nn::LinearSpec& spec, int64_t rows, const torch::Tensor& like, uint64_t seed,
                              uint64_t draw = 0);

/// The first of `targets` that names the map: "*" alone stands for the maps of the blocks, any other glob can name any map.
std::optional<size_t> target_of(const std::vector<std::string>& targets, const nn::LinearSpec& spec);

/// The spec with the initial W that `base_init` asks for; "auto" means Kaiming only when `auto_is_kaiming`.
nn::LinearSpec with_base(nn::LinearSpec spec, const std::string& base_init, bool auto_is_kaiming, uint64_t seed);

/// Optimizer steps of an interval. Throws UserError for `off`, tokens and wall time, which are no number of steps.
int64_t interval_steps(const recipe::Interval& interval, const recipe::StepUnits& step, const std::string& key);

/// Restarts every `every` steps, each followed by a linear warm-up min(1, (t + 1) / warmup) (sst.md 6, row 3).
struct Restarts {
  int64_t every = 0;
  int64_t warmup_steps = 0;
  bool scope_all = false;  ///< the warm-up acts on every rate, not only on the low-rank one

  bool restarts_after(int64_t step) const { return (step + 1) % every == 0; }
  RateFactors factors(int64_t step) const;
};

/// A method that replaces the targeted maps and leaves the others dense.
class LowRankMethod : public Method {
 public:
  LowRankMethod(LowRankOptions options, MethodContext context)
      : Method(context), low_rank_options_(std::move(options)) {}

  std::shared_ptr<nn::LinearMap> make_linear(const nn::LinearSpec& spec) final;
  std::optional<double> low_rank_lr() const override { return low_rank_options_.lr; }
  bool replaces(const nn::LinearSpec& spec) const final {
    return target_of(low_rank_options_.targets, spec).has_value();
  }
  int64_t rank_of(const nn::LinearSpec& spec) const override { return replaces(spec) ? low_rank_options_.rank : 0; }

 protected:
  virtual std::shared_ptr<nn::LinearMap> make_target(const nn::LinearSpec& spec) = 0;

 private:
  LowRankOptions low_rank_options_;
};

}  // namespace sst::methods
