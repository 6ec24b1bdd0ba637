#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace sst {

/// What the process returns; docs/exit-codes in README tells a batch script what to do with each.
enum class ExitCode : int {
  kDone = 0,
  kInternal = 1,
  kUsage = 2,
  kData = 3,
  kCheckpoint = 4,
  kResources = 5,
  kDiverged = 6,
  kDistributed = 7,
  kRequirement = 10,
  kStopped = 75,
  kInterrupted = 130,
};

/// An error that ends the command with a code a script can act on. `what()` says what is wrong, with the value in it;
/// `hint()` says what to do next and may be empty.
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& message, std::string hint = {})
      : std::runtime_error(message), code_(code), hint_(std::move(hint)) {}
  ExitCode code() const { return code_; }
  const std::string& hint() const { return hint_; }

 private:
  ExitCode code_;
  std::string hint_;
};

/// The command line or the recipe can be fixed by the user.
struct UserError : Error {
  explicit UserError(const std::string& message, std::string hint = {})
      : Error(ExitCode::kUsage, message, std::move(hint)) {}
};

/// A data file is missing, malformed, or not the one the recipe means.
struct DataError : Error {
  explicit DataError(const std::string& message, std::string hint = {})
      : Error(ExitCode::kData, message, std::move(hint)) {}
};

/// A checkpoint is missing, corrupt, or does not fit the recipe.
struct CheckpointError : Error {
  explicit CheckpointError(const std::string& message, std::string hint = {})
      : Error(ExitCode::kCheckpoint, message, std::move(hint)) {}
};

/// Memory or disk ran out, or may not be written.
struct ResourceError : Error {
  explicit ResourceError(const std::string& message, std::string hint = {})
      : Error(ExitCode::kResources, message, std::move(hint)) {}
};

/// Training cannot go on: loss or gradient is not finite.
struct DivergedError : Error {
  explicit DivergedError(const std::string& message, std::string hint = {})
      : Error(ExitCode::kDiverged, message, std::move(hint)) {}
};

/// The processes of a run do not find each other, lost one of them, or disagree.
struct DistributedError : Error {
  explicit DistributedError(const std::string& message, std::string hint = {})
      : Error(ExitCode::kDistributed, message, std::move(hint)) {}
};

/// Our own mistake: throws std::logic_error, which main reports as exit code 1.
void require(bool condition, const std::string& message);

}  // namespace sst
