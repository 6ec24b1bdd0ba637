#include "recipe/documents.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/text.hpp"
#include "recipe/presets.hpp"
#include "recipe/scalars.hpp"
#include "recipe/yaml_reader.hpp"

namespace sst::recipe {
namespace {

constexpr size_t kLongestChain = 8;  ///< files from the recipe to its remotest ancestor
constexpr size_t kMostFiles = 64;    ///< of all ancestors together, however they branch
constexpr std::string_view kBuiltin = "builtin:";

class DocumentReader {
 public:
  DocumentReader(const BuiltinRecipes& builtin, const Schema& schema, Diagnostics& diagnostics, Document& document)
      : builtin_(builtin), schema_(schema), diagnostics_(diagnostics), document_(document) {}

  /// Lays the file and its ancestors over the document. `place` says who asked for it; a recipe named on the
  /// command line has none.
  void read(const std::string& name, const Place& place) {
    const std::string identity = identity_of(name);
    if (std::find(chain_.begin(), chain_.end(), identity) != chain_.end()) {
      fail("E-inherit", place, fmt::format("'{}' inherits from itself", name), "the chain of inherit must end");
      return;
    }
    if (chain_.size() >= kLongestChain || document_.sources.size() >= kMostFiles) {
      fail("E-inherit", place,
           fmt::format("inherit goes through more than {}", chain_.size() >= kLongestChain
                                                                ? fmt::format("{} files in a row", kLongestChain)
                                                                : fmt::format("{} files", kMostFiles)),
           "write the common part once and inherit from that");
      return;
    }
    if (const auto source = open(name, place)) {
      chain_.push_back(identity);
      read(source);
      chain_.pop_back();
    }
  }

  void read(const std::shared_ptr<const Source>& source) {
    document_.file = source;
    auto tree = read_yaml(source, diagnostics_);
    if (!tree) {
      document_.readable = false;
      document_.sources.push_back(source);
      return;
    }
    if (!tree->is_mapping()) {
      fail("E-mapping", tree->place, fmt::format("a recipe is a mapping of keys, not {}", shown(*tree)),
           "start with the line 'recipe_version: 1'");
      document_.sources.push_back(source);
      return;
    }
    check_version(*tree, source);
    if (const Node* inherit = tree->find("inherit")) {
      const Node parents = *inherit;
      tree->erase("inherit");
      read_parents(parents, source->name);
    }
    expand_presets(*tree, schema_, diagnostics_);
    merge_into(document_.tree, *tree);
    document_.tree.place = tree->place;
    document_.sources.push_back(source);
    document_.file = source;
  }

 private:
  void fail(const std::string& id, const Place& place, const std::string& message, const std::string& hint) {
    document_.readable = false;
    diagnostics_.error(id, place, message, hint);
  }

  static std::string identity_of(const std::string& name) {
    if (starts_with(name, kBuiltin)) return name;
    std::error_code ignored;
    const auto canonical = std::filesystem::weakly_canonical(name, ignored);
    return canonical.empty() ? name : canonical.string();
  }

  std::shared_ptr<const Source> open(const std::string& name, const Place& place) {
    if (starts_with(name, kBuiltin)) {
      const std::string shipped = name.substr(kBuiltin.size());
      if (const auto text = builtin_ ? builtin_(shipped) : std::nullopt)
        return std::make_shared<Source>(Source{name, without_mark(*text)});
      fail("E-file", place, fmt::format("there is no built-in recipe '{}'", shipped),
           "'sst-train recipes ls' lists them");
      return nullptr;
    }
    try {
      std::error_code ignored;
      const auto status = std::filesystem::status(name, ignored);
      if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status))
        throw DataError("cannot read '" + name + "': it is not a file");
      const auto size = std::filesystem::file_size(name, ignored);
      // Not read at all: it could be a disk image.
      if (!ignored && size > kMostFileBytes) {
        fail("E-size", place.source ? place : Place::in(std::make_shared<Source>(Source{name, ""})),
             fmt::format("'{}' has {}, more than {}", name, human_bytes(static_cast<double>(size)),
                         human_bytes(static_cast<double>(kMostFileBytes))),
             "is this a recipe?");
        return nullptr;
      }
      return std::make_shared<Source>(Source{name, without_mark(read_file(name))});
    } catch (const Error& error) {
      fail("E-file", place, error.what(),
           place.source ? "paths in 'inherit' are relative to the file that says them" : "");
      return nullptr;
    }
  }

  /// Without the byte order mark that some editors write.
  static std::string without_mark(std::string text) {
    if (starts_with(text, "\xEF\xBB\xBF")) text.erase(0, 3);
    return text;
  }

  void check_version(const Node& tree, const std::shared_ptr<const Source>& source) {
    const Node* version = tree.find("recipe_version");
    if (!version) {
      diagnostics_.error("E-missing", Place::in(source), "'recipe_version' is missing",
                         "start with the line 'recipe_version: 1'");
      return;
    }
    const auto number = version->is_scalar() ? parse_integer(version->text) : Parsed<int64_t>{};
    if (number.value && *number.value == 1) return;
    diagnostics_.error("E-version", version->place,
                       fmt::format("'recipe_version' is {} but this program reads version 1", shown(*version)),
                       number.value && *number.value > 1 ? "use a newer sst-train" : "write 'recipe_version: 1'");
  }

  void read_parents(const Node& inherit, const std::string& child) {
    const std::vector<Node> parents = inherit.is_list() ? inherit.children : std::vector<Node>{inherit};
    for (const Node& parent : parents) {
      if (parent.is_null() && !inherit.is_list()) continue;
      if (!parent.is_scalar() || parent.text.empty()) {
        fail("E-inherit", parent.place,
             fmt::format("'inherit' is {} but must be a path or a list of paths", shown(parent)), "");
        continue;
      }
      read(beside(child, parent.text), parent.place);
    }
  }

  const BuiltinRecipes& builtin_;
  const Schema& schema_;
  Diagnostics& diagnostics_;
  Document& document_;
  std::vector<std::string> chain_;
};

}  // namespace

std::string beside(const std::string& file, const std::string& path) {
  if (starts_with(path, kBuiltin)) return path;
  const bool shipped = starts_with(file, kBuiltin);
  const std::filesystem::path folder =
      std::filesystem::path(shipped ? file.substr(kBuiltin.size()) : file).parent_path();
  const std::string found = (folder / path).lexically_normal().string();
  return shipped ? std::string(kBuiltin) + found : found;
}

Document read_document(const std::filesystem::path& path, const BuiltinRecipes& builtin, const Schema& schema,
                       Diagnostics& diagnostics) {
  Document document;
  document.readable = true;
  DocumentReader(builtin, schema, diagnostics, document).read(path.string(), Place::command_line(""));
  if (!document.file) document.file = std::make_shared<Source>(Source{path.string(), ""});
  return document;
}

Document read_document_text(const std::string& text, const std::string& name, const BuiltinRecipes& builtin,
                            const Schema& schema, Diagnostics& diagnostics) {
  Document document;
  document.readable = true;
  DocumentReader(builtin, schema, diagnostics, document).read(std::make_shared<Source>(Source{name, text}));
  return document;
}

}  // namespace sst::recipe
