/// The log as a table on the terminal.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dnn/training/extensions/log_report.hpp"
#include "dnn/training/text_output.hpp"

namespace dnn::inline DNN_ABI::training::extensions {

struct PrintReportOptions {
  std::string log_report = "LogReport";  ///< the name of the LogReport that is printed
  TextOutput out = {};
};

/// Prints the chosen values of every new entry of the log, a column each:
///
///     trainer.extend(extensions::PrintReport{{"epoch", "main/loss", "validation/main/loss", "elapsed_time"}});
///
/// Must be added after the LogReport. Throws ArgumentError when there is no LogReport of that name.
class PrintReport : public Extension {
 public:
  explicit PrintReport(std::vector<std::string> entries, PrintReportOptions options = {})
      : entries_(std::move(entries)), options_(std::move(options)) {}

  std::string default_name() const override { return "PrintReport"; }

  void operator()(Trainer& trainer) override {
    auto* report = dynamic_cast<LogReport*>(&trainer.extension(options_.log_report));
    if (!report) throw ArgumentError("[PrintReport] extension '", options_.log_report, "' is not a LogReport");
    print(report->log());
  }

  /// The header, before the first entries, and the entries that were not printed before.
  void print(const std::vector<LogRecord>& log) {
    if (!header_printed_) options_.out.write(header());
    header_printed_ = true;
    for (; printed_ < log.size(); ++printed_) {
      // A progress bar may stand where the row goes.
      options_.out.write((options_.out.is_terminal() ? "\033[J" : "") + row(log[printed_]));
    }
  }

 private:
  static std::size_t width(const std::string& entry) { return std::max<std::size_t>(10, entry.size()); }
  std::string header() const {
    std::string out;
    for (const auto& entry : entries_) {
      if (!out.empty()) out += "  ";
      out += detail::padded_right(entry, width(entry));
    }
    return out + '\n';
  }
  std::string row(const LogRecord& record) const {
    std::string out;
    for (const auto& entry : entries_) {
      const auto* value = find(record, entry);
      const std::string text = !value               ? ""
                               : value->is_number() ? detail::short_text(value->number())
                                                    : json::dump(*value);
      out += detail::padded_right(text, width(entry)) + "  ";
    }
    return out + '\n';
  }

  std::vector<std::string> entries_;
  PrintReportOptions options_;
  bool header_printed_ = false;
  std::size_t printed_ = 0;
};

}  // namespace dnn::inline DNN_ABI::training::extensions
