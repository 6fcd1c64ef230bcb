/// Ignore rules of a source directory: gitignore's patterns, as Azure's own client applies them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cloud/core/text.hpp"

namespace cloud::storage {

/// The patterns of one ignore file. Blank lines and `#` comments are nothing; `!` takes back; a trailing `/` means a
/// folder; a `/` elsewhere ties the pattern to the root; `*`, `?`, `[a-z]` stay within one part, `**` crosses parts.
/// The last pattern that matches a path or a folder above it decides, so `!` also brings back what lies in an ignored
/// folder.
class IgnoreRules {
 public:
  IgnoreRules() = default;
  explicit IgnoreRules(std::string_view text) {
    if (text.substr(0, 3) == "\xEF\xBB\xBF") text.remove_prefix(3);
    for (std::string& line : split(text, '\n')) add(std::move(line));
  }

  /// Whether the file `path` (relative, with /) is left out.
  bool ignores(std::string_view path) const {
    bool ignored = false;
    for (const Rule& rule : rules_) {
      if (rule.negated == ignored && matches(rule, path)) ignored = !rule.negated;
    }
    return ignored;
  }
  /// Whether everything in the folder `path` is left out, whatever its name: then it need not be read.
  bool ignores_folder(std::string_view path) const { return !has_negation_ && ignores(std::string(path) + "/"); }

 private:
  struct Rule {
    std::string pattern;
    bool negated = false;
    bool anchored = false;
    bool folder_only = false;
  };

  void add(std::string line) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    while (!line.empty() && (line.back() == ' ' || line.back() == '\t') &&
           (line.size() < 2 || line[line.size() - 2] != '\\')) {
      line.pop_back();
    }
    if (line.empty() || line[0] == '#') return;
    Rule rule;
    if (line[0] == '!') {
      rule.negated = true;
      line.erase(0, 1);
    } else if (line[0] == '\\' && line.size() > 1 && (line[1] == '#' || line[1] == '!')) {
      line.erase(0, 1);
    }
    if (!line.empty() && line.back() == '/') {
      rule.folder_only = true;
      line.pop_back();
    }
    rule.anchored = line.find('/') != std::string::npos;
    if (!line.empty() && line[0] == '/') line.erase(0, 1);
    if (line.empty()) return;
    rule.pattern = std::move(line);
    has_negation_ = has_negation_ || rule.negated;
    rules_.push_back(std::move(rule));
  }

  // Tries the path itself and every folder above it; a path that ends with / is a folder.
  static bool matches(const Rule& rule, std::string_view path) {
    for (std::size_t end = path.find('/');; end = path.find('/', end + 1)) {
      const bool folder = end != std::string_view::npos;
      const std::string_view head = path.substr(0, end);
      if ((folder || !rule.folder_only) && !head.empty()) {
        const std::size_t slash = rule.anchored ? std::string_view::npos : head.rfind('/');
        if (glob(rule.pattern, slash == std::string_view::npos ? head : head.substr(slash + 1))) return true;
      }
      if (!folder || end + 1 == path.size()) return false;
    }
  }

  static bool glob(std::string_view pattern, std::string_view text) {
    while (!pattern.empty()) {
      if (pattern.substr(0, 2) == "**") {
        std::string_view rest = pattern.substr(2);
        if (rest.empty()) return true;
        if (rest[0] == '/') {  // any number of whole folders, none included
          rest.remove_prefix(1);
          for (;;) {
            if (glob(rest, text)) return true;
            const std::size_t slash = text.find('/');
            if (slash == std::string_view::npos) return false;
            text.remove_prefix(slash + 1);
          }
        }
      }
      if (pattern[0] == '*') {
        const std::string_view rest = pattern.substr(
            pattern.find_first_not_of('*') == std::string_view::npos ? pattern.size() : pattern.find_first_not_of('*'));
        for (std::size_t i = 0;; ++i) {
          if (glob(rest, text.substr(i))) return true;
          if (i == text.size() || text[i] == '/') return false;
        }
      }
      if (text.empty()) return false;
      if (pattern[0] == '[') {
        std::size_t used = 0;
        const int in = in_class(pattern, text[0], used);
        if (in == 0) return false;
        if (in == 1) {
          pattern.remove_prefix(used);
          text.remove_prefix(1);
          continue;
        }
      } else if (pattern[0] == '?') {
        if (text[0] == '/') return false;
        pattern.remove_prefix(1);
        text.remove_prefix(1);
        continue;
      } else if (pattern[0] == '\\' && pattern.size() > 1) {
        pattern.remove_prefix(1);
      }
      if (pattern[0] != text[0]) return false;
      pattern.remove_prefix(1);
      text.remove_prefix(1);
    }
    return text.empty();
  }

  // 1: c is in the class at the start of pattern, 0: it is not, -1: no closing bracket, so the bracket is a letter.
  static int in_class(std::string_view pattern, char c, std::size_t& used) {
    std::size_t i = 1;
    const bool inverted = i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^');
    if (inverted) ++i;
    bool found = false;
    for (bool first = true; i < pattern.size() && (first || pattern[i] != ']'); first = false) {
      const char low = pattern[i] == '\\' && i + 1 < pattern.size() ? pattern[++i] : pattern[i];
      char high = low;
      if (i + 2 < pattern.size() && pattern[i + 1] == '-' && pattern[i + 2] != ']') {
        high = pattern[i + 2];
        i += 2;
      }
      if (low <= c && c <= high) found = true;
      ++i;
    }
    if (i >= pattern.size()) return -1;
    used = i + 1;
    return c != '/' && found != inverted ? 1 : 0;
  }

  std::vector<Rule> rules_;
  bool has_negation_ = false;
};

}  // namespace cloud::storage
