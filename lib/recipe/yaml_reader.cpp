#include "recipe/yaml_reader.hpp"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <sstream>
#include <utility>

#include "core/text.hpp"

namespace sst::recipe {
namespace {

/// Leaves the parser: what follows would only repeat the same problem.
struct Abort {};

/// Builds the tree from yaml-cpp's events, which still show duplicate keys, tags and aliases; its own nodes
/// hide them.
class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(std::shared_ptr<const Source> source, std::optional<Place> fixed_place, Diagnostics& diagnostics)
      : source_(std::move(source)), fixed_place_(std::move(fixed_place)), diagnostics_(diagnostics) {
    // Lines are looked up once for each node: an index keeps that linear.
    line_starts_.push_back(0);
    for (size_t i = 0; i < source_->text.size(); ++i)
      if (source_->text[i] == '\n') line_starts_.push_back(i + 1);
  }

  Node take_tree() { return std::move(tree_); }
  Place place_at(const YAML::Mark& mark, std::string_view scalar = {}, bool quoted = false) const;

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnAnchor(const YAML::Mark&, const std::string&) override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Node node;
    node.place = place_at(mark);
    const std::string word = word_at(mark);
    const bool written = word == "~" || word == "null" || word == "Null" || word == "NULL";
    if (!written && !frames_.empty() && frames_.back().has_key) node.place = frames_.back().key_place;
    count(node.place, 1, 1);
    finish(std::move(node), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const Place place = place_at(mark, word_at(mark));
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end())
      fail("E-alias", place, "this alias stands inside the value it refers to", "an alias repeats a finished value");
    count(place, found->second.size(), found->second.depth());
    Node copy = found->second;
    finish(std::move(copy), 0);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    Node node = Node::scalar(value);
    node.quoted = tag == "!";
    node.place = place_at(mark, value, node.quoted);
    if (starts_with(text_at(mark), "!") || (tag != "!" && tag != "?" && !tag.empty())) refuse_tag(mark);
    count(node.place, 1, 1);
    finish(std::move(node), anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style) override {
    open(Node::Kind::kList, mark, tag, anchor, style);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value style) override {
    open(Node::Kind::kMapping, mark, tag, anchor, style);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapEnd() override {
    apply_merge_keys(frames_.back().node);
    close();
  }

 private:
  struct Frame {
    Node node;
    YAML::anchor_t anchor = 0;
    bool has_key = false;  ///< of a mapping: the next node is the value of `key`
    bool skip = false;     ///< the value of a key that was refused
    std::string key;
    Place key_place;
  };

  [[noreturn]] void fail(const std::string& id, const Place& place, const std::string& message,
                         const std::string& hint) {
    diagnostics_.error(id, place, message, hint);
    throw Abort{};
  }

  /// From the mark to the end of its line, of which no more than an excerpt is looked at.
  std::string_view text_at(const YAML::Mark& mark) const {
    if (mark.is_null() || static_cast<size_t>(mark.line) >= line_starts_.size()) return {};
    const size_t at = line_starts_[static_cast<size_t>(mark.line)] + static_cast<size_t>(mark.column);
    if (at >= source_->text.size()) return {};
    const std::string_view text = std::string_view(source_->text).substr(at, 400);
    return text.substr(0, text.find_first_of("\r\n"));
  }

  std::string word_at(const YAML::Mark& mark) const {
    return std::string(text_at(mark).substr(0, text_at(mark).find_first_of(" ,]}\t")));
  }

  /// Characters from the start of the line to `offset`; goes on from the last answer, so that a file of one
  /// long line is not counted again for each of its values.
  int characters_before(size_t line, size_t offset) const {
    if (line != counted_line_ || offset < counted_offset_) {
      counted_line_ = line;
      counted_offset_ = line_starts_[line];
      counted_characters_ = 0;
    }
    counted_characters_ +=
        character_count(std::string_view(source_->text).substr(counted_offset_, offset - counted_offset_));
    counted_offset_ = offset;
    return counted_characters_;
  }

  void refuse_tag(const YAML::Mark& mark) {
    const std::string tag = word_at(mark);
    diagnostics_.error("E-tag", place_at(mark, tag),
                       fmt::format("tag '{}' is not read here", starts_with(tag, "!") ? tag : "!"),
                       "remove it: the key decides the type");
  }

  /// Refuses the node before it is built when the tree grows too large or too deep.
  void count(const Place& place, size_t nodes, size_t depth) {
    nodes_ += nodes;
    if (nodes_ > kMostNodes)
      fail("E-nodes", place, fmt::format("more than {} values, counted through aliases", with_thousands(kMostNodes)),
           "a recipe is read whole before anything starts; make it smaller");
    if (frames_.size() + depth > kMostDepth)
      fail("E-depth", place, fmt::format("nested deeper than {} levels", kMostDepth), "");
  }

  void open(Node::Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
            YAML::EmitterStyle::value style) {
    if (starts_with(text_at(mark), "!") || (tag != "?" && !tag.empty())) refuse_tag(mark);
    Frame frame;
    frame.node.kind = kind;
    frame.node.flow = style == YAML::EmitterStyle::Flow;
    frame.node.place = place_at(mark);
    frame.anchor = anchor;
    count(frame.node.place, 1, 1);
    frames_.push_back(std::move(frame));
  }

  void close() {
    Frame frame = std::move(frames_.back());
    frames_.pop_back();
    finish(std::move(frame.node), frame.anchor);
  }

  /// A node is complete: it becomes a key, a value, an element, or the tree.
  void finish(Node node, YAML::anchor_t anchor) {
    if (anchor != 0) anchors_[anchor] = node;
    if (frames_.empty()) {
      tree_ = std::move(node);
      return;
    }
    Frame& frame = frames_.back();
    if (frame.node.is_list()) {
      frame.node.children.push_back(std::move(node));
    } else if (!frame.has_key) {
      take_key(frame, node);
    } else {
      if (!frame.skip) {
        node.key = frame.key;
        node.key_place = frame.key_place;
        frame.node.children.push_back(std::move(node));
      }
      frame.has_key = false;
    }
  }

  void take_key(Frame& frame, const Node& node) {
    frame.has_key = true;
    frame.skip = false;
    frame.key = node.text;
    frame.key_place = node.place;
    if (!node.is_scalar() || node.text.empty()) {
      frame.skip = true;
      diagnostics_.error("E-key", node.place, fmt::format("{} cannot be a key", shown(node)),
                         "a key is a word such as 'optim'");
      return;
    }
    // A plain `<<` is the merge key; it is resolved when the mapping is complete.
    if (const Node* first = frame.node.find(node.text)) {
      frame.skip = true;
      diagnostics_.error(
          "E-duplicate-key", node.place, fmt::format("key '{}' is given twice in this mapping", node.text),
          first->key_place.line > 0 ? fmt::format("the first one is in line {}; keep one", first->key_place.line)
                                    : "keep one");
    }
  }

  void apply_merge_keys(Node& mapping) {
    const Node* merge = mapping.find("<<");
    if (!merge) return;
    const Node source = *merge;
    mapping.erase("<<");
    const std::vector<Node> sources = source.is_list() ? source.children : std::vector<Node>{source};
    for (const Node& from : sources) {
      if (!from.is_mapping()) {
        diagnostics_.error("E-merge", source.key_place, fmt::format("'<<' merges mappings, not {}", shown(from)),
                           "write '<<: *anchor' with the anchor on a mapping");
        return;
      }
      // Written keys win over merged ones, earlier mappings over later ones.
      for (const Node& child : from.children)
        if (!mapping.find(child.key)) mapping.children.push_back(child);
    }
  }

  std::shared_ptr<const Source> source_;
  std::optional<Place> fixed_place_;
  Diagnostics& diagnostics_;
  std::vector<size_t> line_starts_;
  std::vector<Frame> frames_;
  std::map<YAML::anchor_t, Node> anchors_;
  size_t nodes_ = 0;
  Node tree_;
  mutable size_t counted_line_ = std::string::npos;
  mutable size_t counted_offset_ = 0;
  mutable int counted_characters_ = 0;
};

Place TreeBuilder::place_at(const YAML::Mark& mark, std::string_view scalar, bool quoted) const {
  if (fixed_place_) return *fixed_place_;
  if (mark.is_null()) return Place::in(source_);
  const size_t line = std::min(static_cast<size_t>(mark.line), line_starts_.size() - 1);
  const size_t offset = std::min(line_starts_[line] + static_cast<size_t>(mark.column), source_->text.size());
  const int wanted = character_count(scalar.substr(0, 400)) + (quoted ? 2 : 0);
  const int available = character_count(trim(text_at(mark)));
  return Place::in(source_, mark.line + 1, characters_before(line, offset) + 1,
                   std::max(1, std::min(wanted, available)));
}

/// Bytes that no YAML reader should see: yaml-cpp would guess at another encoding or pass them on.
bool has_bad_bytes(const std::shared_ptr<const Source>& source, const std::optional<Place>& fixed_place,
                   Diagnostics& diagnostics) {
  const size_t at = find_bad_byte(source->text);
  if (at == std::string::npos) return false;
  const std::string_view before = std::string_view(source->text).substr(0, at);
  const int line = static_cast<int>(std::count(before.begin(), before.end(), '\n')) + 1;
  const size_t line_start = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  const auto byte = static_cast<unsigned char>(source->text[at]);
  diagnostics.error(
      "E-utf8", fixed_place ? *fixed_place : Place::in(source, line, character_count(before.substr(line_start)) + 1),
      byte < 0x20 ? fmt::format("control character 0x{:02X}", byte) : fmt::format("byte 0x{:02X} is not UTF-8", byte),
      "save the text as UTF-8");
  return true;
}

std::optional<Node> read(const std::shared_ptr<const Source>& source, const std::optional<Place>& fixed_place,
                         Diagnostics& diagnostics) {
  if (has_bad_bytes(source, fixed_place, diagnostics)) return std::nullopt;
  TreeBuilder builder(source, fixed_place, diagnostics);
  std::istringstream stream(source->text);
  try {
    YAML::Parser parser(stream);
    if (!parser.HandleNextDocument(builder)) return Node{.place = fixed_place.value_or(Place::in(source))};
    Node tree = builder.take_tree();
    TreeBuilder rest(source, fixed_place, diagnostics);
    if (parser.HandleNextDocument(rest)) {
      diagnostics.error("E-documents", rest.take_tree().place, "a second document starts here",
                        "one document in each file: remove the '---' line");
    }
    return tree;
  } catch (const YAML::Exception& exception) {
    const Place place = builder.place_at(exception.mark);
    const bool tab = place.source && starts_with(line_of(*place.source, place.line), "\t");
    diagnostics.error("E-yaml", place, "not valid YAML: " + exception.msg,
                      tab ? "indent with spaces, not with tabs" : "");
  } catch (const Abort&) {  // said already
  }
  return std::nullopt;
}

}  // namespace

std::optional<Node> read_yaml(const std::shared_ptr<const Source>& source, Diagnostics& diagnostics) {
  if (source->text.size() > kMostFileBytes) {
    diagnostics.error(
        "E-size", Place::in(source),
        fmt::format("the file has {}, more than {}", human_bytes(static_cast<double>(source->text.size())),
                    human_bytes(static_cast<double>(kMostFileBytes))),
        "is this a recipe?");
    return std::nullopt;
  }
  return read(source, std::nullopt, diagnostics);
}

std::optional<Node> read_yaml_value(const std::string& text, const Place& place, Diagnostics& diagnostics) {
  if (text.size() > kMostFileBytes) {
    diagnostics.error("E-size", place, "the value is longer than 1 MiB");
    return std::nullopt;
  }
  auto node = read(std::make_shared<Source>(Source{"override", text}), place, diagnostics);
  if (node) node->set_places(place);
  return node;
}

}  // namespace sst::recipe
