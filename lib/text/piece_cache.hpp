#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace sst::text {

/// The ids of short pieces seen lately. Each piece has one place, where the newest stays: memory is bounded, and the
/// frequent pieces of a text, which are nearly all of it, are found there. For one thread at a time.
class PieceCache {
 public:
  static constexpr size_t kMostIds = 4;

  /// A piece of up to 15 bytes as two words, its length in the last byte.
  struct Key {
    static constexpr size_t kMostBytes = 15;
    uint64_t low = 0, high = 0;
    bool operator==(const Key&) const = default;

    /// `readable`: bytes that may be read from `at` on, at least `bytes`.
    Key(const char* at, size_t bytes, size_t readable) {
      if (std::endian::native == std::endian::little && readable >= sizeof(Key)) {
        std::memcpy(&low, at, sizeof(low));
        std::memcpy(&high, at + sizeof(low), sizeof(high));
        low &= bytes < 8 ? ~uint64_t{0} >> (64 - 8 * bytes) : ~uint64_t{0};
        high &= bytes > 8 ? ~uint64_t{0} >> (128 - 8 * bytes) : 0;
      } else {
        std::array<char, sizeof(Key)> padded{};
        std::memcpy(padded.data(), at, bytes);
        std::memcpy(&low, padded.data(), sizeof(low));
        std::memcpy(&high, padded.data() + sizeof(low), sizeof(high));
      }
      high |= static_cast<uint64_t>(bytes) << 56;
    }
    Key() = default;
  };

  /// A piece's place; it holds the piece where `key` is equal.
  struct Entry {
    Key key;
    std::array<int32_t, kMostIds> ids;  ///< −1 after the last
  };

  PieceCache() : entries_(size_t{1} << kBits) {}

  Entry& place_of(const Key& key) {
    const uint64_t mixed = (key.low ^ std::rotl(key.high, 29) * 0xBF58476D1CE4E5B9u) * 0x9E3779B97F4A7C15u;
    return entries_[mixed >> (64 - kBits)];
  }

  /// Nothing when there are too many ids to keep.
  static void store(Entry& entry, const Key& key, std::span<const int32_t> ids) {
    if (ids.size() > kMostIds) return;
    entry.key = key;
    entry.ids.fill(-1);
    std::copy(ids.begin(), ids.end(), entry.ids.begin());
  }

 private:
  static constexpr int kBits = 16;  // 2 MiB
  std::vector<Entry> entries_;
};

/// Lends each user an object of its own and keeps what comes back for the next one, so that there are never more than
/// were used at once.
template <class T>
class Pool {
 public:
  class Loan {
   public:
    explicit Loan(Pool& pool) : pool_(pool), object_(pool.take()) {}
    Loan(const Loan&) = delete;
    Loan& operator=(const Loan&) = delete;
    ~Loan() { pool_.give_back(std::move(object_)); }
    T& operator*() const { return *object_; }

   private:
    Pool& pool_;
    std::unique_ptr<T> object_;
  };

 private:
  std::unique_ptr<T> take() {
    {
      const std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        std::unique_ptr<T> object = std::move(idle_.back());
        idle_.pop_back();
        return object;
      }
    }
    return std::make_unique<T>();
  }
  void give_back(std::unique_ptr<T> object) {
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(object));
  }

  std::mutex mutex_;
  std::vector<std::unique_ptr<T>> idle_;
};

}  // namespace sst::text
