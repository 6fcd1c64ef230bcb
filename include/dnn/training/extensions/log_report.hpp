/// The log of a training.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dnn/training/filename.hpp"
#include "dnn/training/json.hpp"
#include "dnn/training/summary.hpp"
#include "dnn/training/text_file.hpp"
#include "dnn/training/trainer.hpp"

namespace dnn::inline DNN_ABI::training::extensions {

/// One entry of the log: values by name, in order.
using LogRecord = json::Object;

/// The value of that name, null when there is none.
inline const json::Value* find(const LogRecord& record, std::string_view key) noexcept {
  for (const auto& [name, value] : record) {
    if (name == key) return &value;
  }
  return nullptr;
}

struct LogReportOptions {
  std::vector<std::string> keys = {};                     ///< what is logged; everything that is observed if empty
  Trigger trigger = {1, "epoch"};                         ///< when an entry is made
  std::function<void(LogRecord&)> postprocess = nullptr;  ///< may change an entry before it is written
  std::optional<std::string> filename = "log";  ///< may have fields of the entry: "log_{epoch}"; none: no file
};

/// Means of what was observed, from one entry to the next, with `epoch`, `iteration` and `elapsed_time`. The whole log
/// is rewritten with every entry: the same JSON file as Chainer's, complete at every moment.
///
/// Called in every iteration; its own trigger decides when an entry is made.
class LogReport : public Extension {
 public:
  explicit LogReport(LogReportOptions options = {}) : options_(std::move(options)) {}

  std::string default_name() const override { return "LogReport"; }

  void operator()(Trainer& trainer) override {
    const Observation& observation = trainer.observation();
    if (options_.keys.empty()) {
      summary_.add(observation);
    } else {
      for (const auto& key : options_.keys) {
        const auto* value = observation.find(key);
        if (value) summary_.add(key, *value);
      }
    }
    if (!trainer.is_before_training() && !options_.trigger(trainer)) return;

    LogRecord record;
    for (auto& [name, mean] : summary_.compute_mean()) record.emplace_back(std::move(name), mean);
    record.emplace_back("epoch", trainer.updater().epoch());
    record.emplace_back("iteration", trainer.updater().iteration());
    record.emplace_back("elapsed_time", trainer.elapsed_time());
    if (options_.postprocess) options_.postprocess(record);
    log_.push_back(std::move(record));
    summary_.clear();
    if (options_.filename) write_text_file(trainer.out() / filename(), json::dump(as_json(), 4));
  }

  const std::vector<LogRecord>& log() const noexcept { return log_; }

  void serialize(Serializer& s) override {
    s("_trigger", options_.trigger);
    s("_summary", summary_);
    std::string text = json::dump(as_json());
    s("_log", text);
    if (!s.is_loading()) return;
    std::vector<LogRecord> log;
    const json::Value stored = json::parse(text, s.path() + "/_log");
    for (const auto& record : stored.array()) log.push_back(record.object());
    log_ = std::move(log);
  }

 private:
  json::Array as_json() const { return {log_.begin(), log_.end()}; }
  std::string filename() const {
    return format_pattern(*options_.filename, [&](std::string_view field) -> json::Value {
      if (const auto* value = find(log_.back(), field)) return *value;
      throw ArgumentError("[LogReport] \"", *options_.filename, "\": the entry has no '", field, "'");
    });
  }

  LogReportOptions options_;
  DictSummary summary_;
  std::vector<LogRecord> log_;
};

}  // namespace dnn::inline DNN_ABI::training::extensions
