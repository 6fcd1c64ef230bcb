/// Printing arrays as NumPy does.
///
///     str(a)    [[1.  2.5]       what print(a) shows
///                [3.  4. ]]
///     repr(a)   array([[1. , 2.5],
///                      [3. , 4. ]], dtype=float32)
///
/// `std::cout << a` prints str(a), of a Variable that of its array.
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dnn/array/array.hpp"

namespace dnn::inline DNN_ABI {

struct PrintOptions {
  int precision = 8;              ///< most digits behind the decimal point
  std::int64_t threshold = 1000;  ///< longer arrays are summarised
  std::int64_t edgeitems = 3;     ///< elements at each end of a summarised axis
  std::size_t linewidth = 75;
};

namespace detail {

/// A number as decimal digits: `int_part.fraction`, or `int_part.fraction e exponent`.
struct Digits {
  std::string int_part, fraction, exponent;
};

inline void trim_zeros(std::string& fraction) {
  while (!fraction.empty() && fraction.back() == '0') fraction.pop_back();
}

/// The shortest decimal of `value` that reads back as the same number of `dtype`, in the given notation.
inline std::string shortest(double value, DType dtype, std::chars_format format) {
  char buffer[400];
  const auto text = [&](auto result) { return std::string(buffer, result.ptr); };
  if (dtype == DType::float64) return text(std::to_chars(buffer, std::end(buffer), value, format));
  if (dtype == DType::float32) return text(std::to_chars(buffer, std::end(buffer), static_cast<float>(value), format));
  const auto bits = [&](double x) {
    const auto f = static_cast<float>(x);
    return dtype == DType::float16 ? Float16(f).bits : BFloat16(f).bits;
  };
  // 16 bits hold at most five significant digits; they are exact doubles.
  double rounded = value;
  for (int digits = 0; digits < 6; ++digits) {
    const auto end = std::to_chars(buffer, std::end(buffer), value, std::chars_format::scientific, digits).ptr;
    std::from_chars(buffer, end, rounded);
    if (bits(rounded) == bits(value)) break;
  }
  return text(std::to_chars(buffer, std::end(buffer), rounded, format));
}

/// As few digits as tell the number from its neighbours, but no more than `precision` behind the point.
inline Digits digits_of(double value, DType dtype, bool scientific, int precision) {
  const auto format = scientific ? std::chars_format::scientific : std::chars_format::fixed;
  std::string text = shortest(value, dtype, format);
  const auto split = [&] {
    Digits out;
    const auto e = text.find('e');
    out.exponent = e == std::string::npos ? "" : text.substr(e + 1);
    text.resize(std::min(e, text.size()));
    const auto point = text.find('.');
    out.int_part = text.substr(0, point);
    out.fraction = point == std::string::npos ? "" : text.substr(point + 1);
    return out;
  };
  Digits out = split();
  if (static_cast<int>(out.fraction.size()) > precision) {
    char buffer[400];
    text.assign(buffer, std::to_chars(buffer, std::end(buffer), value, format, precision).ptr);
    out = split();
    trim_zeros(out.fraction);
  }
  return out;
}

/// The text of elements, all of one width: what NumPy's FloatingFormat, IntegerFormat and BoolFormat do.
class ElementFormat {
 public:
  /// Fits the elements of `sample`, which has any shape and is on the host.
  ElementFormat(const Array& sample, const PrintOptions& options)
      : dtype_(sample.dtype()), precision_(options.precision) {
    if (is_float(dtype_)) {
      fit_floats(sample.to(float64));
    } else if (dtype_ == boolean) {
      int_width_ = sample.ndim() == 0 ? 0 : 5;
    } else {
      for (std::int64_t i = 0; i < sample.size(); ++i) int_width_ = std::max(int_width_, integer(sample, i).size());
    }
  }

  std::string operator()(const Array& array, std::int64_t i) const {
    if (dtype_ == boolean) return padded(array.data<bool>()[i] ? "True" : "False", int_width_);
    if (!is_float(dtype_)) return padded(integer(array, i), int_width_);
    return number(
        visit_dtype(dtype_, [&]<class T>(std::type_identity<T>) { return cast_scalar<double>(array.data<T>()[i]); }));
  }

 private:
  static std::string padded(std::string text, std::size_t width) {
    if (text.size() < width) text.insert(0, width - text.size(), ' ');
    return text;
  }
  static std::string integer(const Array& array, std::int64_t i) {
    return visit_dtype(array.dtype(), [&]<class T>(std::type_identity<T>) {
      return to_text(cast_scalar<std::int64_t>(array.data<T>()[i]));
    });
  }

  void fit_floats(const Array& sample) {
    double largest = 0, smallest = 0;
    bool any_nonfinite = false, any_negative_infinity = false, any_finite = false;
    for (const double v : sample.span<double>()) {
      if (!std::isfinite(v)) {
        any_nonfinite = true;
        any_negative_infinity = any_negative_infinity || v < 0;
        continue;
      }
      any_finite = true;
      const double a = std::abs(v);
      if (a == 0) continue;
      largest = std::max(largest, a);
      smallest = smallest == 0 ? a : std::min(smallest, a);
    }
    scientific_ = largest > 0 && (largest >= 1e8 || smallest < 1e-4 || largest / smallest > 1000);
    std::size_t exponent = 0;
    for (const double v : sample.span<double>()) {
      if (!std::isfinite(v)) continue;
      const Digits d = digits_of(v, dtype_, scientific_, precision_);
      int_width_ = std::max(int_width_, d.int_part.size());
      fraction_width_ = std::max(fraction_width_, d.fraction.size());
      exponent = std::max(exponent, d.exponent.size());
    }
    right_width_ = any_finite && scientific_ ? fraction_width_ + exponent + 1 : fraction_width_;
    if (any_nonfinite) {
      const std::size_t longest = any_negative_infinity ? 4 : 3;  // "-inf", "nan"
      if (longest > right_width_ + 1) int_width_ = std::max(int_width_, longest - right_width_ - 1);
    }
    exponent_width_ = exponent;
  }

  std::string number(double value) const {
    if (!std::isfinite(value)) {
      return padded(std::isnan(value) ? "nan" : value < 0 ? "-inf" : "inf", int_width_ + right_width_ + 1);
    }
    Digits d = digits_of(value, dtype_, scientific_, precision_);
    std::string out = padded(d.int_part, int_width_) + "." + d.fraction;
    if (!scientific_) return out.append(fraction_width_ - d.fraction.size(), ' ');
    out.append(fraction_width_ - d.fraction.size(), '0');
    // 'e', the sign, and as many digits as the longest exponent has.
    out += concat("e", d.exponent.substr(0, 1), std::string(exponent_width_ - d.exponent.size(), '0'),
                  d.exponent.substr(1));
    return out;
  }

  DType dtype_;
  int precision_;
  bool scientific_ = false;
  std::size_t int_width_ = 0, fraction_width_ = 0, right_width_ = 0, exponent_width_ = 0;
};

/// Lays out the nested brackets, wrapping lines.
class ArrayText {
 public:
  ArrayText(const Array& array, std::string_view separator, std::string_view prefix, std::string_view suffix,
            const PrintOptions& options)
      : array_(array.to(Device{})),
        options_(options),
        summarised_(array.size() > options.threshold),
        format_(corners(array_), options),
        separator_(separator),
        prefix_width_(prefix.size()),
        linewidth_(options.linewidth - suffix.size()) {}

  std::string text() const {
    if (array_.size() == 0) return "[]";
    return nested(0, 0, std::string(prefix_width_ + 1, ' '), linewidth_);
  }

 private:
  bool summarises(std::int64_t length) const { return summarised_ && length > 2 * options_.edgeitems; }

  /// Of a summarised array, the elements that are shown: their widths are what counts.
  Array corners(const Array& x) const {
    if (!summarised_ || x.ndim() == 0) return x;
    std::vector<Array> rows;
    const auto add = [&](std::int64_t i) { rows.push_back(corners(x[i])); };
    const auto n = x.length(), edge = summarises(n) ? options_.edgeitems : n;
    for (std::int64_t i = 0; i < edge; ++i) add(i);
    for (std::int64_t i = summarises(n) ? n - edge : n; i < n; ++i) add(i);
    Array out(rows[0].shape().with_inserted(0, static_cast<std::int64_t>(rows.size())), x.dtype(), Device{});
    for (std::size_t i = 0; i < rows.size(); ++i) out[static_cast<std::int64_t>(i)].assign(rows[i]);
    return out;
  }

  void extend(std::string& done, std::string& line, const std::string& word, std::size_t width,
              const std::string& indent) const {
    if (line.size() + word.size() > width && line.size() > indent.size()) {
      line.resize(line.find_last_not_of(' ') + 1);
      done += line + "\n";
      line = indent;
    }
    line += word;
  }

  std::string nested(int axis, std::int64_t offset, const std::string& indent, std::size_t width) const {
    const int left = array_.ndim() - axis;
    if (left == 0) return format_(array_, offset);
    const auto length = array_.shape()[axis];
    std::int64_t stride = 1;
    for (int i = axis + 1; i < array_.ndim(); ++i) stride *= array_.shape()[i];
    const bool summary = summarises(length);
    const std::int64_t first_skipped = summary ? options_.edgeitems : length, resumes = length - options_.edgeitems;
    const auto element = [&](std::int64_t i) { return nested(axis + 1, offset + i * stride, indent + " ", width - 1); };

    std::string out;
    if (left == 1) {
      std::string line = indent;
      const std::size_t usable = width - 1;
      for (std::int64_t i = 0; i < length; ++i) {
        if (i == first_skipped) {
          extend(out, line, "...", usable, indent);
          line += separator_;
          i = resumes;
        }
        extend(out, line, element(i), usable, indent);
        if (i + 1 < length) line += separator_;
      }
      out += line;
    } else {
      std::string between(separator_.substr(0, separator_.find_last_not_of(' ') + 1));
      between.append(static_cast<std::size_t>(left - 1), '\n');
      for (std::int64_t i = 0; i < length; ++i) {
        if (i == first_skipped) {
          out += indent + "..." + between;
          i = resumes;
        }
        out += indent + element(i);
        if (i + 1 < length) out += between;
      }
    }
    return concat("[", out.substr(indent.size()), "]");
  }

  Array array_;
  PrintOptions options_;
  bool summarised_;
  ElementFormat format_;
  std::string_view separator_;
  std::size_t prefix_width_, linewidth_;
};

/// A single number as Python prints it: scientific below 1e-4 and from 1e16 on.
inline std::string scalar_text(const Array& x) {
  if (!is_float(x.dtype())) return ElementFormat(x, {})(x, 0);
  const double v = x.item();
  if (!std::isfinite(v)) return std::isnan(v) ? "nan" : v < 0 ? "-inf" : "inf";
  const double a = std::abs(v);
  const bool scientific = a != 0 && (a < 1e-4 || a >= 1e16);
  Digits d = digits_of(v, x.dtype(), scientific, 400);
  if (!scientific) return concat(d.int_part, ".", d.fraction.empty() ? "0" : d.fraction);
  return concat(d.int_part, d.fraction.empty() ? "" : ".", d.fraction, "e", d.exponent);
}

}  // namespace detail

/// NumPy's `str(array)`.
inline std::string str(const Array& array, const PrintOptions& options = {}) {
  if (!array.defined()) return "None";
  if (array.ndim() == 0) return detail::scalar_text(array.to(Device{}));
  return detail::ArrayText(array, " ", "", "", options).text();
}

/// NumPy's `repr(array)`. The dtype is left out where the elements imply it: float64, int64 and bool.
inline std::string repr(const Array& array, const PrintOptions& options = {}) {
  if (!array.defined()) return "None";
  constexpr std::string_view prefix = "array(";
  std::string out(prefix);
  const bool empty_axes = array.size() == 0 && array.ndim() > 1;
  out += empty_axes ? concat("[], shape=", array.shape()) : detail::ArrayText(array, ", ", prefix, ")", options).text();
  const DType dtype = array.dtype();
  if (array.size() > 0 && (dtype == float64 || dtype == int64 || dtype == boolean)) return out + ")";
  const std::string suffix = concat("dtype=", dtype, ")");
  const auto line = out.size() - (out.rfind('\n') + 1);  // rfind of nothing: npos + 1 is 0
  const bool wraps = line + suffix.size() + 1 > options.linewidth;
  return out + "," + (wraps ? concat("\n", std::string(prefix.size(), ' ')) : " ") + suffix;
}

template <class Traits>
std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out, const Array& array) {
  return out << str(array);
}

}  // namespace dnn::inline DNN_ABI
