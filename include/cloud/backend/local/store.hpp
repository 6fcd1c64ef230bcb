/// The history of a local workspace: one SQLite file that any number of processes read and write at once, and that is
/// whole after any of them was killed. The only header that includes SQLite.
#pragma once

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "cloud/backend/backend.hpp"
#include "cloud/core/clock.hpp"
#include "cloud/core/error.hpp"
#include "cloud/core/text.hpp"

namespace cloud::local {

/// How a run came to be, and so who ends it.
enum class RunKind { submitting, submitted, interactive };

/// A run as stored: what people see, and what only the supervisor cares for.
struct RunRow {
  RunInfo info{};
  RunKind kind = RunKind::submitting;
  bool cancel_requested = false;
  int supervisors = 0;  // how many have been started for it
};

struct StoredModel {
  ModelInfo info{};
  std::string folder{};  // below models/
};

class Store {
 public:
  /// Opens or makes the file. Throws Error, ConfigError for a file of a later version.
  explicit Store(const std::filesystem::path& file) : file_(file) {
    // SQLite's own files take the permissions of this one.
    const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0) ::close(fd);
    sqlite3* db = nullptr;
    const int failed = sqlite3_open_v2(file.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
    db_.reset(db);
    if (failed != SQLITE_OK) fail("open");
    sqlite3_busy_timeout(db, 30'000);
    use_write_ahead_log();
    execute("PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;");
    migrate();
  }

  // Runs ------------------------------------------------------------------------------------------------------------

  void add_run(const RunInfo& run, RunKind kind) {
    transaction([&] {
      Query insert(*this,
                   "INSERT INTO runs(id, experiment, display_name, phase, kind, compute, created, started) "
                   "VALUES(?,?,?,?,?,?,?,?)");
      insert.bind(run.id, run.experiment, run.display_name, phase_name(run.phase), static_cast<int>(kind), run.compute,
                  run.created, run.started);
      insert.run();
      const std::int64_t key = sqlite3_last_insert_rowid(db_.get());
      for (const auto& [name, value] : run.tags) set_pair("tags", key, name, value);
      for (const auto& [name, value] : run.properties) set_pair("properties", key, name, value);
    });
  }

  std::optional<RunRow> find_run(const std::string& id) {
    const std::scoped_lock lock(mutex_);
    Query query(*this, std::string(kSelectRun) + " WHERE id=?");
    query.bind(id);
    if (!query.step()) return std::nullopt;
    return read_run(query);
  }

  RunPage list_runs(const RunQuery& wanted) {
    const std::scoped_lock lock(mutex_);
    std::string sql = std::string(kSelectRun) + " WHERE seq<?";
    if (!wanted.experiment.empty()) sql += " AND experiment=?";
    if (wanted.phase) sql += " AND phase=?";
    Query query(*this, sql + " ORDER BY seq DESC LIMIT ?");
    const auto before =
        wanted.page_token.empty() ? INT64_MAX : parse_number<std::int64_t>(wanted.page_token).value_or(-1);
    if (before < 0) throw ConfigError("list runs", "the page token is not one of ours");
    query.bind(before);
    if (!wanted.experiment.empty()) query.bind(wanted.experiment);
    if (wanted.phase) query.bind(phase_name(*wanted.phase));
    const int page = std::max(wanted.max_results, 1);
    query.bind(page + 1);  // one more tells whether there is a next page
    RunPage result;
    std::int64_t last = 0;
    while (query.step()) {
      if (static_cast<int>(result.runs.size()) == page) {
        result.next_page_token = std::to_string(last);
        break;
      }
      last = query.integer(0);
      result.runs.push_back(read_run(query).info);
    }
    return result;
  }

  /// The ids of all runs that have not ended, oldest first.
  std::vector<std::string> unfinished_runs() {
    const std::scoped_lock lock(mutex_);
    Query query(*this, "SELECT id FROM runs WHERE ended=0 ORDER BY seq");
    std::vector<std::string> ids;
    while (query.step()) ids.push_back(query.text(0));
    return ids;
  }

  std::vector<std::string> list_experiments() {
    const std::scoped_lock lock(mutex_);
    Query query(*this, "SELECT DISTINCT experiment FROM runs ORDER BY experiment");
    std::vector<std::string> names;
    while (query.step()) names.push_back(query.text(0));
    return names;
  }

  /// From here on the run belongs to its supervisor.
  void set_submitted(const std::string& id) { change("UPDATE runs SET kind=1 WHERE id=? AND ended=0", id); }
  void request_cancel(const std::string& id) {
    change("UPDATE runs SET cancel_requested=1 WHERE id=? AND ended=0", id);
  }
  void count_supervisor(const std::string& id) { change("UPDATE runs SET supervisors=supervisors+1 WHERE id=?", id); }

  /// Moves on; the time of the first Running is kept. A run that has ended does not change.
  void set_phase(const std::string& id, Phase phase) {
    transaction([&] {
      Query update(*this,
                   "UPDATE runs SET phase=?, started=CASE WHEN started=0 AND ?='Running' THEN ? ELSE started END "
                   "WHERE id=? AND ended=0");
      update.bind(phase_name(phase), phase_name(phase), now_ms(), id);
      update.run();
    });
  }

  /// Ends a run, once: a second call changes nothing.
  void finish(const std::string& id, Phase phase, std::optional<int> exit_code, const std::string& error) {
    transaction([&] {
      Query update(*this, "UPDATE runs SET phase=?, ended=?, exit_code=?, error=? WHERE id=? AND ended=0");
      update.bind(phase_name(phase), now_ms());
      exit_code ? update.bind(*exit_code) : update.bind_null();
      update.bind(error, id);
      update.run();
    });
  }

  // Metrics, params, tags -------------------------------------------------------------------------------------------

  void log_batch(const std::string& id, const Batch& batch) {
    transaction([&] {
      const std::int64_t run = run_key(id);
      for (const Param& param : batch.params) {
        Query found(*this, "SELECT value FROM params WHERE run=? AND key=?");
        found.bind(run, param.key);
        if (!found.step()) {
          set_pair("params", run, param.key, param.value);
        } else if (found.text(0) != param.value) {
          throw ConflictError("log param " + param.key + " of " + id,
                              "it is '" + found.text(0) + "' already and cannot become '" + param.value + "'");
        }
      }
      for (const Tag& tag : batch.tags) set_pair("tags", run, tag.key, tag.value);
      if (batch.metrics.empty()) return;
      Query insert(*this, "INSERT INTO metrics(run, key, value, timestamp, step) VALUES(?,?,?,?,?)");
      for (const Metric& metric : batch.metrics) {
        insert.reset();
        insert.bind(run, metric.key);
        insert.bind(metric.value);  // SQLite keeps no NaN: it becomes NULL, and NULL is read as NaN
        insert.bind(metric.timestamp, metric.step);
        insert.run();
      }
    });
  }

  std::vector<Metric> metrics(const std::string& id, const std::string& key) {
    const std::scoped_lock lock(mutex_);
    Query query(*this, std::string("SELECT key, value, timestamp, step FROM metrics WHERE run=?") +
                           (key.empty() ? "" : " AND key=?") + " ORDER BY rowid");
    query.bind(run_key(id));
    if (!key.empty()) query.bind(key);
    std::vector<Metric> result;
    while (query.step()) {
      result.push_back(
          {query.text(0), query.is_null(1) ? std::nan("") : query.real(1), query.integer(2), query.integer(3)});
    }
    return result;
  }

  std::vector<Param> params(const std::string& id) {
    const std::scoped_lock lock(mutex_);
    std::vector<Param> result;
    for (const auto& [key, value] : pairs("params", run_key(id))) result.push_back({key, value});
    return result;
  }

  void set_property(const std::string& id, const std::string& key, const std::string& value) {
    transaction([&] { set_pair("properties", run_key(id), key, value); });
  }

  // Computes --------------------------------------------------------------------------------------------------------

  void put_compute(const std::string& name, const ComputeSpec& spec) {
    transaction([&] {
      Query insert(*this,
                   "INSERT OR REPLACE INTO computes(name, vm_size, min_nodes, max_nodes, low_priority, idle_seconds, "
                   "description) VALUES(?,?,?,?,?,?,?)");
      insert.bind(name, spec.vm_size, spec.min_nodes, spec.max_nodes, spec.low_priority ? 1 : 0,
                  static_cast<std::int64_t>(spec.idle_before_scale_down.count()), spec.description);
      insert.run();
    });
  }

  std::map<std::string, ComputeSpec> computes() {
    const std::scoped_lock lock(mutex_);
    Query query(*this,
                "SELECT name, vm_size, min_nodes, max_nodes, low_priority, idle_seconds, description FROM computes");
    std::map<std::string, ComputeSpec> result;
    while (query.step()) {
      ComputeSpec& spec = result[query.text(0)];
      spec.vm_size = query.text(1);
      spec.min_nodes = static_cast<int>(query.integer(2));
      spec.max_nodes = static_cast<int>(query.integer(3));
      spec.low_priority = query.integer(4) != 0;
      spec.idle_before_scale_down = std::chrono::seconds(query.integer(5));
      spec.description = query.text(6);
    }
    return result;
  }

  // Models ----------------------------------------------------------------------------------------------------------

  /// Stores the next version of `model.info.name` and returns its number.
  int add_model(const StoredModel& model) {
    int version = 0;
    transaction([&] {
      Query last(*this, "SELECT COALESCE(MAX(version), 0) FROM models WHERE name=?");
      last.bind(model.info.name);
      last.step();
      version = static_cast<int>(last.integer(0)) + 1;
      Query insert(*this,
                   "INSERT INTO models(name, version, run, path, folder, description, created, sha256, size) "
                   "VALUES(?,?,?,?,?,?,?,?,?)");
      insert.bind(model.info.name, version, model.info.run_id, model.info.path, model.folder, model.info.description,
                  model.info.created, model.info.sha256, static_cast<std::int64_t>(model.info.size.value_or(0)));
      insert.run();
      for (const auto& [key, value] : model.info.tags) {
        Query tag(*this, "INSERT INTO model_tags(name, version, key, value) VALUES(?,?,?,?)");
        tag.bind(model.info.name, version, key, value);
        tag.run();
      }
    });
    return version;
  }

  /// Every version of `name`, newest first; the newest one of every model when it is empty.
  std::vector<StoredModel> models(const std::string& name) {
    const std::scoped_lock lock(mutex_);
    std::string sql = "SELECT name, version, run, path, folder, description, created, sha256, size FROM models ";
    sql += name.empty() ? "WHERE version=(SELECT MAX(version) FROM models m WHERE m.name=models.name) ORDER BY name"
                        : "WHERE name=? ORDER BY version DESC";
    Query query(*this, sql);
    if (!name.empty()) query.bind(name);
    std::vector<StoredModel> result;
    while (query.step()) {
      StoredModel& model = result.emplace_back();
      model.info.name = query.text(0);
      model.info.version = static_cast<int>(query.integer(1));
      model.info.run_id = query.text(2);
      model.info.path = query.text(3);
      model.folder = query.text(4);
      model.info.description = query.text(5);
      model.info.created = query.integer(6);
      model.info.sha256 = query.text(7);
      model.info.size = static_cast<std::uint64_t>(query.integer(8));
      Query tags(*this, "SELECT key, value FROM model_tags WHERE name=? AND version=?");
      tags.bind(model.info.name, model.info.version);
      while (tags.step()) model.info.tags[tags.text(0)] = tags.text(1);
    }
    return result;
  }

  /// SQLite's own check of the file: "ok", or what is wrong.
  std::string integrity() {
    const std::scoped_lock lock(mutex_);
    Query query(*this, "PRAGMA integrity_check");
    query.step();
    return query.text(0);
  }

 private:
  static constexpr int kVersion = 1;
  static constexpr const char* kSelectRun =
      "SELECT seq, id, experiment, display_name, phase, kind, compute, created, started, ended, exit_code, error, "
      "cancel_requested, supervisors FROM runs";

  // A prepared statement; parameters are bound in order.
  class Query {
   public:
    Query(Store& store, const std::string& sql) : store_(store) {
      if (sqlite3_prepare_v2(store.db_.get(), sql.c_str(), -1, &statement_, nullptr) != SQLITE_OK)
        store.fail("prepare");
    }
    Query(const Query&) = delete;
    Query& operator=(const Query&) = delete;
    ~Query() { sqlite3_finalize(statement_); }

    template <class... Values>
      requires(sizeof...(Values) > 1)
    void bind(const Values&... values) { (bind(values), ...); }
    void bind(std::string_view text) {
      check(sqlite3_bind_text(statement_, ++bound_, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT));
    }
    void bind(const std::string& text) { bind(std::string_view(text)); }
    void bind(const char* text) { bind(std::string_view(text)); }
    void bind(int value) { check(sqlite3_bind_int(statement_, ++bound_, value)); }
    void bind(std::int64_t value) { check(sqlite3_bind_int64(statement_, ++bound_, value)); }
    void bind(double value) { check(sqlite3_bind_double(statement_, ++bound_, value)); }
    void bind_null() { check(sqlite3_bind_null(statement_, ++bound_)); }

    /// True: there is a row. False: that was the last.
    bool step() {
      const int result = sqlite3_step(statement_);
      if (result == SQLITE_ROW) return true;
      if (result != SQLITE_DONE) store_.fail("read or write");
      return false;
    }
    void run() {
      while (step()) {
      }
    }
    void reset() {
      sqlite3_reset(statement_);
      bound_ = 0;
    }
    bool is_null(int column) { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }
    std::int64_t integer(int column) { return sqlite3_column_int64(statement_, column); }
    double real(int column) { return sqlite3_column_double(statement_, column); }
    std::string text(int column) {
      const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
      return bytes == nullptr ? std::string()
                              : std::string(bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
    }

   private:
    void check(int result) {
      if (result != SQLITE_OK) store_.fail("bind");
    }
    Store& store_;
    sqlite3_stmt* statement_ = nullptr;
    int bound_ = 0;
  };

  struct Close {
    void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
  };

  [[noreturn]] void fail(const char* what) {
    ErrorDetails details;
    details.tried = std::string(what) + " " + file_.string();
    details.message = db_ ? sqlite3_errmsg(db_.get()) : "out of memory";
    throw Error(details);
  }

  void execute(const char* sql) {
    if (sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) fail("use");
  }

  // The change of mode wants the file for itself and does not wait for it, so several processes that open a new file at
  // once must take turns here.
  void use_write_ahead_log() {
    for (int attempt = 0;; ++attempt) {
      const int result = sqlite3_exec(db_.get(), "PRAGMA journal_mode=WAL", nullptr, nullptr, nullptr);
      if (result == SQLITE_OK) return;
      if ((result & 0xff) != SQLITE_BUSY || attempt == 600) fail("open");
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }

  // All of `work` or nothing. IMMEDIATE: whoever will write waits for its turn before it reads.
  template <class Work>
  void transaction(const Work& work) {
    const std::scoped_lock lock(mutex_);
    execute("BEGIN IMMEDIATE");
    try {
      work();
      execute("COMMIT");
    } catch (...) {
      sqlite3_exec(db_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
      throw;
    }
  }

  void change(const char* sql, const std::string& id) {
    transaction([&] {
      Query update(*this, sql);
      update.bind(id);
      update.run();
    });
  }

  int schema_version() {
    Query query(*this, "PRAGMA user_version");
    query.step();
    return static_cast<int>(query.integer(0));
  }

  void migrate() {
    if (schema_version() == kVersion) return;
    transaction([&] {
      const int version = schema_version();
      if (version == kVersion) return;  // another process was quicker
      if (version != 0) {
        throw ConfigError("open " + file_.string(), "it has version " + std::to_string(version) +
                                                        ", this program knows " + std::to_string(kVersion));
      }
      execute(R"(
        CREATE TABLE runs(
          seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, experiment TEXT NOT NULL, display_name TEXT NOT NULL,
          phase TEXT NOT NULL, kind INTEGER NOT NULL, compute TEXT NOT NULL, created INTEGER NOT NULL,
          started INTEGER NOT NULL DEFAULT 0, ended INTEGER NOT NULL DEFAULT 0, exit_code INTEGER, error TEXT NOT NULL DEFAULT '',
          cancel_requested INTEGER NOT NULL DEFAULT 0, supervisors INTEGER NOT NULL DEFAULT 0);
        CREATE INDEX runs_by_experiment ON runs(experiment, seq);
        CREATE TABLE metrics(
          run INTEGER NOT NULL REFERENCES runs(seq) ON DELETE CASCADE, key TEXT NOT NULL, value REAL,
          timestamp INTEGER NOT NULL, step INTEGER NOT NULL);
        CREATE INDEX metrics_by_key ON metrics(run, key);
        CREATE TABLE params(
          run INTEGER NOT NULL REFERENCES runs(seq) ON DELETE CASCADE, key TEXT NOT NULL, value TEXT NOT NULL,
          PRIMARY KEY(run, key)) WITHOUT ROWID;
        CREATE TABLE tags(
          run INTEGER NOT NULL REFERENCES runs(seq) ON DELETE CASCADE, key TEXT NOT NULL, value TEXT NOT NULL,
          PRIMARY KEY(run, key)) WITHOUT ROWID;
        CREATE TABLE properties(
          run INTEGER NOT NULL REFERENCES runs(seq) ON DELETE CASCADE, key TEXT NOT NULL, value TEXT NOT NULL,
          PRIMARY KEY(run, key)) WITHOUT ROWID;
        CREATE TABLE computes(
          name TEXT PRIMARY KEY, vm_size TEXT NOT NULL, min_nodes INTEGER NOT NULL, max_nodes INTEGER NOT NULL,
          low_priority INTEGER NOT NULL, idle_seconds INTEGER NOT NULL, description TEXT NOT NULL);
        CREATE TABLE models(
          name TEXT NOT NULL, version INTEGER NOT NULL, run TEXT NOT NULL, path TEXT NOT NULL, folder TEXT NOT NULL,
          description TEXT NOT NULL, created INTEGER NOT NULL, sha256 TEXT NOT NULL, size INTEGER NOT NULL,
          PRIMARY KEY(name, version));
        CREATE TABLE model_tags(
          name TEXT NOT NULL, version INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
          PRIMARY KEY(name, version, key), FOREIGN KEY(name, version) REFERENCES models(name, version) ON DELETE CASCADE);
        PRAGMA user_version=1;
      )");
    });
  }

  std::int64_t run_key(const std::string& id) {
    Query query(*this, "SELECT seq FROM runs WHERE id=?");
    query.bind(id);
    if (!query.step()) throw NotFoundError("get run " + id, "there is no such run in this workspace");
    return query.integer(0);
  }

  void set_pair(const char* table, std::int64_t run, const std::string& key, const std::string& value) {
    Query insert(*this, std::string("INSERT OR REPLACE INTO ") + table + "(run, key, value) VALUES(?,?,?)");
    insert.bind(run, key, value);
    insert.run();
  }

  std::map<std::string, std::string> pairs(const char* table, std::int64_t run) {
    Query query(*this, std::string("SELECT key, value FROM ") + table + " WHERE run=?");
    query.bind(run);
    std::map<std::string, std::string> result;
    while (query.step()) result[query.text(0)] = query.text(1);
    return result;
  }

  RunRow read_run(Query& query) {
    RunRow row;
    RunInfo& run = row.info;
    run.id = query.text(1);
    run.experiment = query.text(2);
    run.display_name = query.text(3);
    run.status = query.text(4);
    run.phase = phase_from(run.status);
    row.kind = static_cast<RunKind>(query.integer(5));
    run.compute = query.text(6);
    run.created = query.integer(7);
    run.started = query.integer(8);
    run.ended = query.integer(9);
    if (!query.is_null(10)) run.exit_code = static_cast<int>(query.integer(10));
    run.error = query.text(11);
    row.cancel_requested = query.integer(12) != 0;
    row.supervisors = static_cast<int>(query.integer(13));
    run.tags = pairs("tags", query.integer(0));
    run.properties = pairs("properties", query.integer(0));
    return row;
  }

  std::filesystem::path file_;
  std::unique_ptr<sqlite3, Close> db_;
  std::mutex mutex_;
};

}  // namespace cloud::local
