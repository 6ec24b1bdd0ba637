#include "recipe/node.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

namespace sst::recipe {
namespace {

bool reads_back_plain(std::string_view text) {
  static constexpr std::string_view kNulls[] = {"~", "null", "Null", "NULL", "<<"};
  if (text.empty() || std::find(std::begin(kNulls), std::end(kNulls), text) != std::end(kNulls)) return false;
  if (text.front() == '-' && (text.size() == 1 || text[1] == ' ' || text[1] == '-')) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    const bool inner = i > 0 && i + 1 < text.size() && (c == ' ' || c == '=');
    if (!letter && !inner && std::string_view("_-./+").find(c) == std::string_view::npos) return false;
    if (c == ' ' && text[i + 1] == ' ') return false;
  }
  return true;
}

}  // namespace

Node Node::scalar(std::string text) {
  Node node;
  node.kind = Kind::kScalar;
  node.text = std::move(text);
  return node;
}

Node Node::list(std::vector<Node> items) {
  Node node;
  node.kind = Kind::kList;
  node.children = std::move(items);
  return node;
}

const Node* Node::find(std::string_view name) const {
  if (!is_mapping()) return nullptr;
  const auto found =
      std::find_if(children.begin(), children.end(), [&](const Node& child) { return child.key == name; });
  return found == children.end() ? nullptr : &*found;
}

Node* Node::find(std::string_view name) { return const_cast<Node*>(std::as_const(*this).find(name)); }

Node& Node::set(const std::string& name, Node value) {
  value.key = name;
  if (Node* present = find(name)) {
    *present = std::move(value);
    return *present;
  }
  children.push_back(std::move(value));
  return children.back();
}

void Node::erase(std::string_view name) {
  std::erase_if(children, [&](const Node& child) { return child.key == name; });
}

size_t Node::size() const {
  size_t count = 1;
  for (const Node& child : children) count += child.size();
  return count;
}

size_t Node::depth() const {
  size_t deepest = 0;
  for (const Node& child : children) deepest = std::max(deepest, child.depth());
  return deepest + 1;
}

void Node::set_places(const Place& new_place) {
  place = new_place;
  key_place = new_place;
  for (Node& child : children) child.set_places(new_place);
}

void merge_into(Node& lower, const Node& upper) {
  for (const Node& child : upper.children) {
    Node* below = lower.find(child.key);
    if (below && below->is_mapping() && child.is_mapping()) {
      below->place = child.place;
      below->key_place = child.key_place;
      merge_into(*below, child);
    } else {
      const bool removes = below && child.is_null() && (!below->is_null() || below->removes);
      lower.set(child.key, child).removes = removes;
    }
  }
}

std::string to_yaml_scalar(std::string_view text) {
  if (reads_back_plain(text)) return std::string(text);
  // A JSON string is a YAML double-quoted scalar.
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string to_flow_yaml(const Node& node) {
  if (node.is_null()) return "null";
  if (node.is_scalar()) return to_yaml_scalar(node.text);
  std::string text = node.is_list() ? "[" : "{";
  for (size_t i = 0; i < node.children.size(); ++i) {
    if (i > 0) text += ", ";
    if (node.is_mapping()) text += to_yaml_scalar(node.children[i].key) + ": ";
    text += to_flow_yaml(node.children[i]);
  }
  return text + (node.is_list() ? "]" : "}");
}

std::string shown(const Node& node) {
  if (node.is_null()) return "null";
  if (node.is_list()) return "a list";
  if (node.is_mapping()) return "a mapping";
  constexpr size_t kLongest = 60;
  std::string text;
  for (const char c : node.text.substr(0, kLongest)) text += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  while (find_bad_byte(text) != std::string::npos) text.pop_back();  // a character cut in half
  if (node.text.size() > kLongest) text += "...";
  return node.text.empty() ? "''" : text;
}

}  // namespace sst::recipe
