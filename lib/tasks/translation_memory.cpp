// What a step of a translation model keeps in memory, for the estimate and for the size of micro-batches.
#include <algorithm>
#include <tuple>

#include "nn/token_loss.hpp"
#include "tasks/kept_activations.hpp"
#include "tasks/translation.hpp"

namespace sst::tasks {

/// By places in its padded tensors.
int64_t Translation::largest_batch(const data::PairBatches& epoch) const {
  const auto& lengths = corpus("train").lengths();
  int64_t largest = 0, most = 0;
  for (int64_t index = 0; index < epoch.size(); ++index) {
    int64_t source = 0, target = 0;
    for (const int64_t pair : epoch[index]) {
      source = std::max<int64_t>(source, lengths[static_cast<size_t>(pair)].source);
      target = std::max<int64_t>(target, lengths[static_cast<size_t>(pair)].target + 1);
    }
    const int64_t places = std::ssize(epoch[index]) * (source + target);
    if (places > most) std::tie(largest, most) = std::pair(index, places);
  }
  return largest;
}

std::optional<int64_t> Translation::largest_step() const {
  return largest_batch(epoch_of(corpus("train"), 0)) / recipe_.step.micro_batches();
}

/// Backward frees activations as it makes gradients, so that the first micro-batch needs the larger of the two; every
/// further one finds the gradients of those before.
double Translation::step_bytes(double gradients) const {
  return recipe_.step.micro_batches() > 1 ? gradients + bytes_at_once() : std::max(gradients, bytes_at_once());
}

/// Of the largest batch of the first epoch, measured with an eighth and with a quarter of its sentences, the longest one among them.
double Translation::bytes_at_once() const {
  if (at_once_) return *at_once_;
  if (device_.is_meta()) {  // what it keeps with plain matrices on a CPU
    Translation other(recipe_);
    other.share_with(*this);
    other.corpora_ = corpora_;
    other.compute_ = compute_;
    other.build({.tensors = torch::TensorOptions(type_), .init = {.kind = nn::InitScheme::Kind::kZero}});
    return *(at_once_ = other.bytes_at_once());
  }
  const auto& lengths = corpus("train").lengths();
  const auto epoch = epoch_of(corpus("train"), 0);
  const auto pairs = epoch[largest_batch(epoch)];
  std::vector<int64_t> by_length(pairs.begin(), pairs.end());
  const auto length = [&](int64_t pair) {
    const auto& both = lengths[static_cast<size_t>(pair)];
    return both.source + both.target;
  };
  std::stable_sort(by_length.begin(), by_length.end(), [&](int64_t a, int64_t b) { return length(a) > length(b); });
  const auto loss_of_some = [&](int64_t sentences, bool recompute) {
    std::vector<int64_t> some;  // of all lengths alike
    for (int64_t i = 0; i < sentences; ++i)
      some.push_back(by_length[static_cast<size_t>(i * std::ssize(by_length) / sentences)]);
    const nn::Pass pass{.training = true, .compute = compute_, .recompute = recompute};
    return model_
        ->loss(on_device(batch(corpus("train"), some)), {.label_smoothing = recipe_.step.label_smoothing}, pass)
        .sum;
  };
  const int64_t few = std::max<int64_t>(std::ssize(pairs) / 8, 1);
  const auto kept = measure_activations(loss_of_some, few, 2 * few, *model_, device_.type(), recomputes_blocks(),
                                        recipe_.model.encoder_layers + recipe_.model.decoder_layers);
  int64_t words = 0;
  for (const int64_t pair : pairs) words += lengths[static_cast<size_t>(pair)].target + 1;
  const auto [begin, end] = group().share_of(std::ssize(pairs));
  const int64_t rows = words * (end - begin) / std::ssize(pairs);
  const bool in_parts = recipe_.model.geometry == "euclidean";  // products are scores as they come
  const torch::Tensor table = torch::empty({vocabulary_.target_size, recipe_.model.hidden_size},
                                           torch::TensorOptions(type_).device(torch::kMeta));
  const double scores = in_parts ? nn::token_loss_bytes(rows, table, compute_, device_.type())
                                 : 4.0 * static_cast<double>(rows * vocabulary_.target_size);
  at_once_ = kept.at_once(end - begin, scores);
  return *at_once_;
}

}  // namespace sst::tasks
