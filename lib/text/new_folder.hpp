#pragma once

#include <filesystem>

namespace sst::text {

/// A folder that appears whole or not at all: it is filled under another name, FOLDER.tmp, and renamed at the end. What a
/// killed process left there is removed.
class NewFolder {
 public:
  /// While another process fills it: waits until that one is done, or gone. Throws UserError when a signal ends the wait,
  /// ResourceError when the disk refuses.
  explicit NewFolder(const std::filesystem::path& folder);
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;
  ~NewFolder();  ///< without publish(): removes what was written

  static std::filesystem::path temporary(const std::filesystem::path& folder);  ///< where it is filled

  /// To be called before anything is written. Throws DataError when `folder` holds something already, ResourceError when
  /// the disk refuses.
  void start();
  const std::filesystem::path& path() const { return temporary_; }  ///< where to write
  void publish();

 private:
  void lock();

  std::filesystem::path folder_, temporary_;
  int descriptor_ = -1;  ///< the temporary folder, locked
};

}  // namespace sst::text
