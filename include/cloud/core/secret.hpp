/// Text that must not be shown: tokens, keys, SAS signatures.
#pragma once

#include <ostream>
#include <string>
#include <string_view>
#include <utility>

namespace cloud {

/// Prints as `***`, compares in constant time, is wiped when it goes away. `reveal()` is the one way to the text: call
/// it only where the text goes into a request.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string text) : text_(std::move(text)) {}
  Secret(const Secret&) = default;
  Secret(Secret&& other) noexcept : text_(std::move(other.text_)) { other.wipe(); }
  Secret& operator=(const Secret& other) {
    if (this != &other) {
      wipe();
      text_ = other.text_;
    }
    return *this;
  }
  Secret& operator=(Secret&& other) noexcept {
    if (this != &other) {
      wipe();
      text_ = std::move(other.text_);
      other.wipe();
    }
    return *this;
  }
  ~Secret() { wipe(); }

  bool empty() const { return text_.empty(); }
  const std::string& reveal() const { return text_; }

  /// `text` with every occurrence of this secret replaced by `***`: the last guard before text from elsewhere is shown.
  std::string redact(std::string text) const {
    if (text_.empty()) return text;
    for (std::size_t at = text.find(text_); at != std::string::npos; at = text.find(text_, at + 3)) {
      text.replace(at, text_.size(), "***");
    }
    return text;
  }

  friend bool operator==(const Secret& a, const Secret& b) {
    if (a.text_.size() != b.text_.size()) return false;
    unsigned difference = 0;
    for (std::size_t i = 0; i < a.text_.size(); ++i) {
      difference |=
          static_cast<unsigned char>(a.text_[i]) ^ static_cast<unsigned>(static_cast<unsigned char>(b.text_[i]));
    }
    return difference == 0;
  }
  friend std::ostream& operator<<(std::ostream& out, const Secret& secret) {
    return out << (secret.empty() ? "" : "***");
  }

 private:
  void wipe() noexcept {
    volatile char* at = text_.data();
    for (std::size_t i = 0; i < text_.size(); ++i) at[i] = 0;
    text_.clear();
  }

  std::string text_;
};

}  // namespace cloud
