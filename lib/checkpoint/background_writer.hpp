#pragma once

#include <functional>
#include <future>

namespace sst::checkpoint {

/// Does one piece of work at a time on a thread of its own, while training goes on.
class BackgroundWriter {
 public:
  /// `in_background` false: start() does the work before it returns.
  explicit BackgroundWriter(bool in_background) : in_background_(in_background) {}
  /// Waits; what the work threw is then logged.
  ~BackgroundWriter();
  BackgroundWriter(const BackgroundWriter&) = delete;
  BackgroundWriter& operator=(const BackgroundWriter&) = delete;

  /// Waits for the work before, then starts `work`. It is kept alive until it has been found done: what it holds it
  /// should give free itself.
  ///   throws  what the work before threw
  void start(std::function<void()> work);
  /// Throws what finished work threw, once; does not wait.
  void check();
  /// Waits for work in flight.
  ///   throws  what it threw
  void wait();

  double last_s() const { return last_s_; }  ///< how long the last work took that was found done

 private:
  bool in_background_;
  std::future<double> in_flight_;
  double last_s_ = 0;
};

}  // namespace sst::checkpoint
