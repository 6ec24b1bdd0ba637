#include "text/prepare.hpp"

#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <barrier>
#include <chrono>
#include <fstream>
#include <functional>
#include <future>
#include <map>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/fault.hpp"
#include "core/seeds.hpp"
#include "tests/support/archives.hpp"
#include "tests/support/byte_tokenizer.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

namespace sst::text {
namespace {

namespace fs = std::filesystem;
using sst::testing::ByteTokenizer;
using sst::testing::TemporaryFolder;

/// A text of every length, some of them empty.
std::string document_number(int i) {
  return i % 41 == 0 ? "" : std::string(static_cast<size_t>(i * 37 % 3001), 'a' + i % 26);
}

void write_corpus(const fs::path& path, int first, int last) {
  std::string text;
  for (int i = first; i < last; ++i) text += document_number(i) + "\n<|endoftext|>\n";
  write_file_synced(path, text);
}

/// Every file of a folder but the manifest, by name.
std::map<std::string, std::string> shards_of(const fs::path& folder) {
  std::map<std::string, std::string> shards;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".bin") shards[entry.path().filename()] = read_file(entry.path());
  return shards;
}

std::string text_of(const fs::path& folder, const std::string& split) {
  std::string text;
  for (int number = 0;; ++number) {
    const fs::path path = folder / (split + "_00000" + std::to_string(number) + ".bin");
    if (!fs::exists(path)) return text;
    const TokenFile file(path);
    std::vector<int64_t> tokens(static_cast<size_t>(file.size()));
    file.copy(0, tokens);
    text += ByteTokenizer().decode(std::vector<int32_t>(tokens.begin(), tokens.end()));
  }
}

struct Case {
  TemporaryFolder folder;
  CorpusRecipe corpus;
  fs::path out = folder / "prepared";
  ByteTokenizer tokenizer;

  explicit Case(int documents = 400, double valid_fraction = 0.1) {
    write_corpus(folder / "a.txt", 0, documents);
    corpus = {.train = {folder / "a.txt"}, .valid_fraction = valid_fraction};
  }
  Preparation prepare(const PrepareOptions& options = {}) const {
    return prepare_tokens(corpus, tokenizer, out, options);
  }
};

/// Threads in the place of processes.
std::vector<Preparation> prepare_together(const Case& one, int64_t processes,
                                          const std::function<void(int64_t rank)>& before_meeting = {}) {
  std::barrier gate(processes);
  std::atomic<int64_t> said = 0;
  const auto from_leader = [&](int64_t rank, int64_t number) {
    if (before_meeting) before_meeting(rank);
    if (rank == 0) said = number;
    gate.arrive_and_wait();
    const int64_t answer = said;
    gate.arrive_and_wait();  // nobody is asked anew before all have heard
    return answer;
  };
  std::vector<std::future<Preparation>> futures;
  for (int64_t rank = 0; rank < processes; ++rank)
    futures.push_back(std::async(std::launch::async, [&, rank] {
      try {
        PrepareOptions options = {.threads = 1, .shard_tokens = 100'000, .disk_delay_s = 2};
        options.preparers = {
            .rank = rank, .size = processes, .from_leader = [&, rank](int64_t n) { return from_leader(rank, n); }};
        return one.prepare(options);
      } catch (...) {
        gate.arrive_and_drop();  // the others need not wait for this one
        throw;
      }
    }));
  std::vector<Preparation> made;
  for (auto& future : futures) made.push_back(future.get());
  return made;
}

}  // namespace

TEST_CASE("shards hold every document and a separator after it, in order", "[text]") {
  const Case one;
  const auto made = one.prepare({.threads = 3, .shard_tokens = 100'000});
  std::string train, valid;
  int64_t held_out = 0;
  for (int i = 0; i < 400; ++i) {
    (is_held_out(i, 0.1) ? valid : train) += document_number(i) + "|";
    held_out += is_held_out(i, 0.1) ? 1 : 0;
  }
  CHECK(text_of(one.out, "train") == train);
  CHECK(text_of(one.out, "valid") == valid);
  const TokenManifest& manifest = made.manifest;
  CHECK(manifest.train.documents == 400 - held_out);
  CHECK(manifest.valid.documents == held_out);
  CHECK(manifest.train.tokens == static_cast<int64_t>(train.size()));
  CHECK(manifest.train.bytes == manifest.train.tokens - manifest.train.documents);
  REQUIRE(manifest.train.shards.size() == (train.size() + 99'999) / 100'000);
  for (size_t i = 0; i + 1 < manifest.train.shards.size(); ++i) CHECK(manifest.train.shards[i].tokens == 100'000);
  CHECK(made.total.documents == 400);
  CHECK(made.total.read_bytes == made.total.total_bytes);

  const TokenManifest read = read_token_manifest(one.out);
  CHECK(manifest_json(read) == manifest_json(manifest));
  CHECK(read.sha256() == manifest.sha256());
  CHECK(read.type == TokenType::kUint16);
  CHECK_NOTHROW(verify_shards(read, one.out));
  CHECK_FALSE(fs::exists(one.out.string() + ".tmp"));
}

TEST_CASE("shards do not depend on the number of threads", "[text]") {
  Case one(3000);
  one.prepare({.threads = 1});
  const auto shards = shards_of(one.out);
  for (const int64_t threads : {2, 5}) {
    one.out = one.folder / ("with-" + std::to_string(threads));
    one.prepare({.threads = threads});
    CHECK(shards_of(one.out) == shards);
  }
}

TEST_CASE("processes that share the files make the shards that one process makes", "[text]") {
  Case one(0, 0.1);
  std::vector<fs::path> files;
  for (int i = 0, first = 0; i < 7; first += 40 * ++i) {  // of very different sizes
    files.push_back(one.folder / ("part" + std::to_string(i) + ".txt"));
    write_corpus(files.back(), first, first + 40 * (i + 1));
  }
  one.corpus.train = files;
  const auto alone = one.prepare({.shard_tokens = 100'000});
  const auto shards = shards_of(one.out);
  for (const int64_t processes : {2, 3, 12}) {
    CAPTURE(processes);
    one.out = one.folder / ("by-" + std::to_string(processes));
    for (const Preparation& made : prepare_together(one, processes))
      CHECK(manifest_json(made.manifest) == manifest_json(alone.manifest));
    CHECK(shards_of(one.out) == shards);
    CHECK_FALSE(fs::exists(one.out.string() + ".tmp"));
    for (const auto& entry : fs::directory_iterator(one.out))
      CHECK_THAT(entry.path().filename().string(), !ContainsSubstring("part"));
  }
}

TEST_CASE("what another process has tokenized is looked at before it is used", "[text]") {
  Case one(200, 0);
  write_corpus(one.folder / "b.txt", 200, 400);
  one.corpus.train = {one.folder / "a.txt", one.folder / "b.txt"};
  const std::string ending = GENERATE(".tokens", ".documents", ".json");
  CAPTURE(ending);
  int meetings = 0;
  const auto cut_second_part = [&](int64_t rank) {
    if (rank != 1 || ++meetings != 2) return;  // it has just been written
    for (const auto& entry : fs::recursive_directory_iterator(one.out.string() + ".tmp"))
      if (entry.path().filename() == "train_part_0001" + ending) fs::resize_file(entry.path(), entry.file_size() - 1);
  };
  CHECK_THROWS_WITH(prepare_together(one, 2, cut_second_part), ContainsSubstring("is not as it wrote it"));
  CHECK_FALSE(fs::exists(one.out));
  CHECK(prepare_together(one, 2).size() == 2);
}

TEST_CASE("shares of files are neighbours, and nobody's is much larger than a file more than equal", "[text]") {
  const std::vector<int64_t> bytes = {5, 1, 1, 1, 9, 2, 2, 30, 4, 4, 4, 1};
  for (const int64_t processes : {1, 2, 3, 5, 20}) {
    size_t next = 0;
    for (int64_t rank = 0; rank < processes; ++rank) {
      const auto [begin, end] = share_of_files(bytes, rank, processes);
      CHECK(begin == next);
      CHECK(end >= begin);
      int64_t share = 0;
      for (size_t i = begin; i < end; ++i) share += bytes[i];
      CHECK(share <= 64 / processes + 30);
      next = end;
    }
    CHECK(next == bytes.size());
  }
  CHECK(share_of_files({}, 1, 3) == std::pair<size_t, size_t>(0, 0));
}

TEST_CASE("holding documents out takes their share and never moves one", "[text]") {
  int64_t held_out = 0;
  for (int i = 0; i < 100'000; ++i) {
    held_out += is_held_out(i, 0.01) ? 1 : 0;
    if (is_held_out(i, 0.01)) CHECK(is_held_out(i, 0.02));
    if (is_held_out(i, 0.0)) FAIL("nothing is held out at 0");
    if (!is_held_out(i, 1.0)) FAIL("everything is held out at 1");
  }
  CHECK(std::abs(held_out - 1000) < 5 * 32);  // five standard deviations
  CHECK(is_held_out(15, 0.01) == is_held_out(15, 0.01));
}

TEST_CASE("validation files of their own are not split off", "[text]") {
  Case one(50, 0);
  write_corpus(one.folder / "v.txt", 50, 60);
  one.corpus.valid = {one.folder / "v.txt"};
  const auto made = one.prepare();
  CHECK(made.manifest.train.documents == 50);
  CHECK(made.manifest.valid.documents == 10);
  CHECK(made.manifest.valid_files.size() == 1);
  one.corpus.valid = {one.folder / "a.txt"};
  CHECK_THROWS_WITH(one.prepare(), ContainsSubstring("is in data.train and in data.valid"));
}

TEST_CASE("a large vocabulary is stored in four bytes", "[text]") {
  Case one(20, 0);
  one.tokenizer = ByteTokenizer("wide", 65537);
  CHECK(one.prepare().manifest.type == TokenType::kUint32);
  CHECK(fs::file_size(one.out / "train_000000.bin") ==
        4 * static_cast<size_t>(read_token_manifest(one.out).train.tokens));
}

TEST_CASE("a second preparation says that the shards are there", "[text]") {
  const Case one;
  CHECK_FALSE(one.prepare().was_there);
  const auto shards = shards_of(one.out);
  const auto again = one.prepare();
  CHECK(again.was_there);
  CHECK_THAT(describe(again), ContainsSubstring("nothing to do"));
  CHECK(shards_of(one.out) == shards);
}

TEST_CASE("shards of another corpus, cut or tokenizer are refused and left as they are", "[text]") {
  Case one;
  one.prepare();
  const auto shards = shards_of(one.out);
  const auto refused = [&](const std::string& reason) {
    CHECK_THROWS_WITH(one.prepare(), ContainsSubstring("do not fit") && ContainsSubstring(reason));
    CHECK(shards_of(one.out) == shards);
  };
  one.corpus.valid_fraction = 0.2;
  refused("valid_fraction: 0.1");
  one.corpus.valid_fraction = 0.1;
  one.corpus.read.format = CorpusFormat::kJsonl;
  refused("data.format: text");
  one.corpus.read.format = CorpusFormat::kText;
  one.tokenizer = ByteTokenizer("another");
  refused("another tokenizer made them");
  one.tokenizer = ByteTokenizer();

  // The same bytes with another time or name are the same corpus; others of the same length are not.
  const std::string text = read_file(one.folder / "a.txt");
  fs::last_write_time(one.folder / "a.txt", fs::file_time_type::clock::now() + std::chrono::seconds(5));
  CHECK(one.prepare().was_there);
  write_file_synced(one.folder / "b.txt", text);
  one.corpus.train = {one.folder / "b.txt"};
  CHECK(one.prepare().was_there);
  one.corpus.train = {one.folder / "a.txt"};
  std::string changed = text;
  changed[5000] = changed[5000] == 'x' ? 'y' : 'x';
  write_file_synced(one.folder / "a.txt", changed);
  fs::last_write_time(one.folder / "a.txt", fs::file_time_type::clock::now() + std::chrono::seconds(9));
  refused("a.txt' has changed");
  write_file_synced(one.folder / "a.txt", text + "more");
  refused("a.txt' has changed");
  one.corpus.train = {one.folder / "a.txt", one.folder / "b.txt"};
  refused("made from 1 training files, the recipe names 2");
}

TEST_CASE("damaged folders of shards are told apart", "[text]") {
  const Case one;
  one.prepare();
  const fs::path shard = one.out / "train_000000.bin";
  const std::string bytes = read_file(shard);
  write_file_synced(shard, bytes.substr(2));
  CHECK_THROWS_WITH(one.prepare(), ContainsSubstring("its manifest promises"));
  std::string flipped = bytes;
  flipped[100] ^= 1;
  write_file_synced(shard, flipped);
  CHECK(one.prepare().was_there);
  CHECK_THROWS_WITH(verify_shards(read_token_manifest(one.out), one.out),
                    ContainsSubstring("train_000000.bin' is damaged"));
  fs::remove(shard);
  CHECK_THROWS_WITH(one.prepare(), ContainsSubstring("cannot read shard"));
  auto manifest = nlohmann::json::parse(read_file(one.out / "manifest.json"));
  manifest["splits"]["train"]["shards"][0]["name"] = "../a.txt";
  write_file_synced(one.out / "manifest.json", manifest.dump());
  CHECK_THROWS_WITH(one.prepare(), ContainsSubstring("is no file name"));
  write_file_synced(one.out / "manifest.json", "{\"format\": \"sst-tokens\"}");
  CHECK_THROWS_WITH(one.prepare(), ContainsSubstring("no manifest of token shards"));
  CHECK_THROWS_WITH(read_token_manifest(one.folder.path()), ContainsSubstring("holds no token shards"));
}

TEST_CASE("a manifest with any byte changed is read or refused, never trusted blindly", "[text]") {
  const Case one(60);
  one.prepare({.shard_tokens = 20'000});
  const std::string good = read_file(one.out / "manifest.json");
  CounterRng rng(4, Stream::kData);
  for (int i = 0; i < 1500; ++i) {
    std::string bytes = good;
    for (uint64_t changes = 1 + rng.below(3); changes > 0; --changes)
      bytes[rng.below(bytes.size())] =
          static_cast<char>(rng.below(4) == 0 ? rng.below(256) : good[rng.below(good.size())]);
    if (rng.below(8) == 0) bytes.resize(rng.below(bytes.size()));
    std::ofstream(one.out / "manifest.json", std::ios::binary) << bytes;
    try {
      const TokenManifest manifest = read_token_manifest(one.out);
      for (const ShardEntry& shard : manifest.train.shards)
        CHECK(TokenFile(one.out / shard.name).size() == shard.tokens);
    } catch (const DataError&) {
    }
  }
}

TEST_CASE("a preparation killed anywhere leaves no folder and begins again", "[text]") {
  const Case whole;
  whole.prepare({.shard_tokens = 50'000});
  for (const char* point :
       {"prepare.shard:1", "prepare.shard:3", "prepare.manifest:1", "file.write:4", "folder.rename:1"}) {
    CAPTURE(point);
    const Case one;
    const pid_t child = ::fork();
    if (child == 0) {
      arm_fault(std::string(point) + ":kill");
      one.prepare({.shard_tokens = 50'000});
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK(WIFSIGNALED(status));
    CHECK_FALSE(fs::exists(one.out));
    CHECK(fs::exists(one.out.string() + ".tmp"));
    CHECK_FALSE(one.prepare({.shard_tokens = 50'000}).was_there);
    CHECK(shards_of(one.out) == shards_of(whole.out));
    CHECK_FALSE(fs::exists(one.out.string() + ".tmp"));
  }
}

TEST_CASE("a full disk or a stopped preparation leaves nothing behind", "[text]") {
  const Case one;
  arm_fault("file.write:2:no_space");
  CHECK_THROWS_AS(one.prepare({.shard_tokens = 50'000}), ResourceError);
  arm_fault("");
  CHECK_FALSE(fs::exists(one.out));
  CHECK_FALSE(fs::exists(one.out.string() + ".tmp"));
  PrepareOptions stopping;
  stopping.progress = [](const PrepareProgress&) { throw std::runtime_error("stop"); };
  CHECK_THROWS_WITH(one.prepare(stopping), "stop");
  CHECK_FALSE(fs::exists(one.out.string() + ".tmp"));
}

TEST_CASE("a folder with other files is not touched", "[text]") {
  const Case one;
  fs::create_directories(one.out);
  write_file_synced(one.out / "thesis.tex", "x");
  CHECK_THROWS_WITH(one.prepare(), ContainsSubstring("exists and holds other files"));
  CHECK(fs::exists(one.out / "thesis.tex"));
  fs::remove(one.out / "thesis.tex");
  CHECK_FALSE(one.prepare().was_there);  // into the empty folder
}

TEST_CASE("who finds a folder being prepared waits for it", "[text]") {
  const Case one;
  const fs::path temporary = one.out.string() + ".tmp";
  const auto locked = [&] {
    fs::create_directories(temporary);
    const int other = ::open(temporary.c_str(), O_RDONLY | O_DIRECTORY);
    REQUIRE(::flock(other, LOCK_EX) == 0);
    return other;
  };
  const auto in_background = [&] { return std::async(std::launch::async, [&] { return one.prepare(); }); };
  const auto still_waits = [](const auto& preparation) {
    return preparation.wait_for(std::chrono::milliseconds(200)) == std::future_status::timeout;
  };
  int other = locked();
  auto preparation = in_background();
  CHECK(still_waits(preparation));
  ::close(other);  // the other one died
  const auto made = preparation.get();
  CHECK_FALSE(made.was_there);

  fs::rename(one.out, one.folder / "by the other");
  other = locked();
  preparation = in_background();
  CHECK(still_waits(preparation));
  fs::remove(temporary);
  fs::rename(one.folder / "by the other", one.out);  // the other one is done
  ::close(other);
  const auto found = preparation.get();
  CHECK(found.was_there);
  CHECK(found.manifest.train.tokens == made.manifest.train.tokens);
}

TEST_CASE("a bad document ends the preparation with the first place, for any number of threads", "[text]") {
  Case one;
  std::string text;
  for (int i = 0; i < 4000; ++i)
    text += std::string(700, 'x') + (i == 1234 || i == 1300 ? '\xff' : 'y') + "\n<|endoftext|>\n";
  write_file_synced(one.folder / "a.txt", text);
  for (const int64_t threads : {1, 4}) {
    CHECK_THROWS_WITH(one.prepare({.threads = threads}), ContainsSubstring("a.txt, line 2469 "));
    CHECK_FALSE(fs::exists(one.out));
  }
  write_file_synced(one.folder / "a.txt", std::string("a\n<|endoftext|>\nb\0c", 19));
  CHECK_THROWS_WITH(one.prepare(), ContainsSubstring("a.txt, line 3 (byte 16): the vocabulary has no NUL"));
}

TEST_CASE("a corpus too small for its split is refused", "[text]") {
  Case one(3, 1e-6);
  CHECK_THROWS_WITH(one.prepare(), ContainsSubstring("of 3 documents none was held out"));
  one.corpus.valid_fraction = 1;
  CHECK_THROWS_WITH(one.prepare(), ContainsSubstring("of 3 documents none is left for training"));
  CHECK_FALSE(fs::exists(one.out));
}

TEST_CASE("progress tells documents, speed and the time left", "[text]") {
  const PrepareProgress progress = {
      .documents = 12345, .tokens = 99, .text_bytes = 30'000'000, .read_bytes = 1, .total_bytes = 4, .seconds = 2};
  CHECK(progress.megabytes_per_s() == 15.0);
  CHECK(progress.eta_s() == 6.0);
  CHECK(progress_line(progress) == "prepare 25%  12,345 documents  28.6 MiB of text  15.0 MB/s  eta 6.0 s");
  CHECK_FALSE(PrepareProgress().eta_s());
  CHECK(progress_line({.documents = 7, .shares = 3, .joining = true}) ==
        "prepare: joining 3 shares  7 documents  0 B of text");
  CHECK_THAT(progress_line({.shares = 3}), ContainsSubstring("prepare 0% of the first of 3 shares"));
  CHECK(progress_line({}) == "prepare 0%  0 documents  0 B of text  0.0 MB/s");
}

TEST_CASE("memory stays bounded with documents as large as are allowed", "[text][slow]") {
  constexpr int64_t kMost_KiB = 1 << 20;
  const TemporaryFolder folder;
  std::string document = std::string((size_t{128} << 20) - 1000, 'a') + "\n<|endoftext|>\n";
  const std::string frame = sst::testing::compressed("zstd", document);
  document = {};
  write_file_synced(folder / "a.txt.zst", frame + frame + frame);
  const pid_t child = ::fork();
  if (child == 0) {
    const CorpusRecipe corpus = {.train = {folder / "a.txt.zst"}};
    prepare_tokens(corpus, ByteTokenizer(), folder / "out", {.threads = 4});
    std::ifstream file("/proc/self/status");
    for (std::string line; std::getline(file, line);)
      if (line.starts_with("VmHWM:")) ::_exit(std::stoll(line.substr(6)) < kMost_KiB ? 0 : 1);
    ::_exit(2);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK(WEXITSTATUS(status) == 0);
}

}  // namespace sst::text
