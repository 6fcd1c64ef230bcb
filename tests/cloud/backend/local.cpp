#include "cloud/backend/local/local_backend.hpp"

#include <dirent.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "catch.hpp"

using namespace cloud;
using Catch::Matchers::ContainsSubstring;
using namespace std::chrono_literals;

namespace {

bool wait_until(const std::function<bool()>& done, std::chrono::seconds limit = 60s) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (std::chrono::steady_clock::now() < end) {
    if (done()) return true;
    std::this_thread::sleep_for(20ms);
  }
  return false;
}

std::string command_line(pid_t pid) {
  try {
    return read_file("/proc/" + std::to_string(pid) + "/cmdline");
  } catch (const Error&) {
    return {};
  }
}

// Supervisors and keepers (a keeper leads its own process group) of a workspace.
std::vector<pid_t> supervisors(const fs::path& workspace) {
  std::vector<pid_t> found;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const auto pid = parse_number<pid_t>(entry.path().filename().string());
    if (!pid) continue;
    const std::string line = command_line(*pid);
    if (line.starts_with(std::string("cloud-supervisor") + '\0' + workspace.string() + '\0')) found.push_back(*pid);
  }
  return found;
}
bool is_keeper(pid_t pid) { return ::getpgid(pid) == pid; }

// A folder of its own for each test, with a workspace and a source directory in it.
struct Workplace {
  static fs::path make() {
    std::string name = (fs::temp_directory_path() / "cloud-local-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    return fs::canonical(name);
  }
  Workplace() { fs::create_directories(source); }
  ~Workplace() {
    wait_until([&] { return supervisors(workspace).empty(); }, 5s);  // they may still be tidying up
    std::error_code ignored;
    fs::remove_all(root, ignored);
  }

  const fs::path root = make();
  const fs::path workspace = root / "ws";
  const fs::path source = root / "source";

  void write(const std::string& name, const std::string& text) const { write_file(source / name, text); }
  // A source directory whose program is a script.
  void script(const std::string& body) const { write("job.sh", "#!/bin/sh\n" + body); }
};

RunInfo wait_for(local::LocalBackend& backend, const std::string& id) {
  REQUIRE(wait_until([&] { return is_terminal(backend.get_run(id).phase); }));
  return backend.get_run(id);
}

std::string log_of(local::LocalBackend& backend, const std::string& id, const char* name = local::kStdLog) {
  return backend.read_log(id, name, 0, 1 << 20);
}

JobSpec job(const Workplace& place, const std::string& entry = "job.sh") {
  return {.experiment = "test", .source_directory = place.source, .entry = entry};
}

std::vector<std::string> names(const std::vector<Artifact>& artifacts) {
  std::vector<std::string> result;
  for (const Artifact& artifact : artifacts) result.push_back(artifact.path);
  return result;
}

const char* const kCMake = R"(cmake_minimum_required(VERSION 3.16)
project(tiny C)
add_executable(tiny tiny.c)
)";
const char* const kProgram = R"(
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) printf("<%s>\n", argv[i]);
  printf("run %s, own %s, secret %s\n", getenv("CLOUD_RUN_ID"), getenv("OWN"), getenv("CLOUD_TEST_SECRET") ? "seen" : "none");
  fflush(stdout);
  fprintf(stderr, "to stderr\n");
  FILE* out = fopen("outputs/model.bin", "wb");
  fputs("weights", out);
  fclose(out);
  out = fopen("logs/detail.txt", "wb");
  fputs("detail", out);
  fclose(out);
  return 0;
}
)";

}  // namespace

TEST_CASE("a CMake project is built once and run with its own arguments, environment and folder", "[cloud][local]") {
  const Workplace place;
  place.write("CMakeLists.txt", kCMake);
  place.write("tiny.c", kProgram);
  ::setenv("CLOUD_TEST_SECRET", "hunter2", 1);
  local::LocalBackend backend(place.workspace);
  JobSpec spec = job(place, "tiny");
  spec.arguments = {"a b", "$HOME", "`id`; 'x' \"y\"", ""};
  spec.environment_variables = {{"OWN", "value"}};
  spec.tags = {{"kind", "first"}};
  const RunInfo submitted = backend.submit(spec, {});
  const RunInfo run = wait_for(backend, submitted.id);
  ::unsetenv("CLOUD_TEST_SECRET");

  CHECK(run.error == "");
  CHECK(run.phase == Phase::completed);
  CHECK(run.exit_code == 0);
  CHECK(run.tags.at("kind") == "first");
  CHECK(run.created <= run.started);
  CHECK(run.started <= run.ended);
  CHECK(run.log_files == std::vector<std::string>{"system_logs/build.log", "user_logs/std_log.txt"});
  CHECK(log_of(backend, run.id) ==
        "<a b>\n<$HOME>\n<`id`; 'x' \"y\">\n<>\nrun " + run.id + ", own value, secret none\nto stderr\n");
  CHECK_THAT(log_of(backend, run.id, local::kBuildLog), ContainsSubstring("tiny.c"));
  CHECK(names(backend.list_artifacts(run.id, "")) == std::vector<std::string>{"logs/detail.txt", "outputs/model.bin",
                                                                              "system_logs/build.log",
                                                                              "user_logs/std_log.txt"});
  backend.download_artifact(run.id, "outputs/model.bin", place.root / "new" / "m", {});
  CHECK(read_file(place.root / "new" / "m") == "weights");
  // What the run's environment was is nobody's business once it has ended.
  CHECK(read_file(place.workspace / "runs" / run.id / "job.json").find("OWN") == std::string::npos);

  const RunInfo again = wait_for(backend, backend.submit(spec, {}).id);
  CHECK(again.phase == Phase::completed);
  CHECK_THAT(log_of(backend, again.id, local::kBuildLog), ContainsSubstring("there already"));

  place.write("tiny.c", "int main(void) { return 3; }\n");
  const RunInfo third = wait_for(backend, backend.submit(spec, {}).id);
  CHECK(third.phase == Phase::failed);
  CHECK(third.exit_code == 3);
  CHECK_THAT(third.error, ContainsSubstring("exit code 3"));

  // What only saves time can be removed when nobody has used it for long; nothing else goes with it.
  REQUIRE(wait_until([&] { return supervisors(place.workspace).empty(); }));
  CHECK(backend.prune(1h) == 0);
  CHECK(fs::exists(place.workspace / "runs" / third.id / "work"));
  CHECK(backend.prune(0h) > 0);
  CHECK(fs::is_empty(place.workspace / "builds"));
  CHECK(fs::is_empty(place.workspace / "snapshots"));
  CHECK_FALSE(fs::exists(place.workspace / "runs" / third.id / "work"));
  CHECK(names(backend.list_artifacts(run.id, "outputs/")) == std::vector<std::string>{"outputs/model.bin"});
  place.write("tiny.c", kProgram);
  CHECK(wait_for(backend, backend.submit(spec, {}).id).phase == Phase::completed);
}

TEST_CASE("a build that fails, a target that is none and a program killed by a signal are failed runs",
          "[cloud][local]") {
  const Workplace place;
  local::LocalBackend backend(place.workspace);
  place.write("CMakeLists.txt", kCMake);
  place.write("tiny.c", "this is no C\n");
  RunInfo run = wait_for(backend, backend.submit(job(place, "tiny"), {}).id);
  CHECK(run.phase == Phase::failed);
  CHECK(!run.exit_code);
  CHECK_THAT(run.error, ContainsSubstring("cmake could not build"));
  CHECK_THAT(run.error, ContainsSubstring("system_logs/build.log"));
  CHECK_THAT(log_of(backend, run.id, local::kBuildLog), ContainsSubstring("error"));

  place.write("tiny.c", "#include <stdlib.h>\nint main(void) { abort(); }\n");
  run = wait_for(backend, backend.submit(job(place, "tiny"), {}).id);
  CHECK(run.phase == Phase::failed);
  CHECK(!run.exit_code);
  CHECK_THAT(run.error, ContainsSubstring("signal 6"));

  run = wait_for(backend, backend.submit(job(place, "other"), {}).id);
  CHECK(run.phase == Phase::failed);
  CHECK_THAT(run.error, ContainsSubstring("cmake could not build"));
}

TEST_CASE("what cannot be submitted throws and says why", "[cloud][local]") {
  const Workplace place;
  local::LocalBackend backend(place.workspace);
  CHECK_THROWS_AS(backend.submit(job(place), {}), ConfigError);  // an empty source directory
  place.script("exit 0\n");
  JobSpec spec = job(place);
  spec.entry = "../job.sh";
  CHECK_THROWS_AS(backend.submit(spec, {}), ConfigError);
  spec = job(place);
  spec.compute = "nowhere";
  CHECK_THROWS_AS(backend.submit(spec, {}), NotFoundError);
  spec = job(place);
  spec.node_count = 2;
  CHECK_THROWS_AS(backend.submit(spec, {}), UnsupportedError);
  spec = job(place);
  spec.experiment = "a b";
  CHECK_THROWS_AS(backend.submit(spec, {}), ConfigError);
  spec = job(place);
  spec.source_directory = place.root / "missing";
  CHECK_THROWS_AS(backend.submit(spec, {}), ConfigError);
  CHECK_THROWS_AS(backend.get_run("none"), NotFoundError);
  CHECK_THROWS_AS(backend.get_run("../x"), NotFoundError);
  CHECK_THROWS_AS(backend.create_compute("c", {.max_nodes = 0}), ConfigError);
  CHECK_THROWS_AS(backend.create_compute("../c", {}), ConfigError);

  const RunInfo run = wait_for(backend, backend.submit(job(place, "missing.sh"), {}).id);
  CHECK(run.phase == Phase::failed);
  CHECK_THAT(run.error, ContainsSubstring("missing.sh"));
}

TEST_CASE("only files within the working directory are collected, and names cannot leave it", "[cloud][local]") {
  const Workplace place;
  write_file(place.root / "private", "private");
  place.write(".amlignore", "*.tmp.txt\n");
  place.write("left.tmp.txt", "x");
  place.script(
      "ls > outputs/seen\necho real > data\nln -s ../data outputs/inside\nln -s " + (place.root / "private").string() +
      " outputs/outside\nln -s /nowhere outputs/dangling\nmkdir outputs/empty outputs/deep\necho d > outputs/deep/f\n");
  local::LocalBackend backend(place.workspace);
  const RunInfo run = wait_for(backend, backend.submit(job(place), {}).id);
  REQUIRE(run.phase == Phase::completed);
  CHECK(names(backend.list_artifacts(run.id, "outputs/")) ==
        std::vector<std::string>{"outputs/deep/f", "outputs/inside", "outputs/seen"});
  backend.download_artifact(run.id, "outputs/inside", place.root / "i", {});
  CHECK(read_file(place.root / "i") == "real\n");
  backend.download_artifact(run.id, "outputs/seen", place.root / "s", {});
  CHECK(read_file(place.root / "s") == "job.sh\nlogs\noutputs\n");
  for (const char* name : {"../job.json", "/etc/passwd", "outputs/../../job.json", "", "outputs/outside", "outputs"}) {
    CHECK_THROWS_AS(backend.download_artifact(run.id, name, place.root / "h", {}), NotFoundError);
    CHECK(backend.read_log(run.id, name, 0, 100) == "");
  }
  CHECK_THROWS_AS(backend.upload_artifact(run.id, "../x", place.root / "s", {}), FileError);
  backend.upload_artifact(run.id, "extra/s", place.root / "s", {});
  CHECK(names(backend.list_artifacts(run.id, "extra")) == std::vector<std::string>{"extra/s"});
}

TEST_CASE("a log is read from an offset while it grows", "[cloud][local]") {
  const Workplace place;
  place.script("echo one\nwhile [ ! -e " + (place.root / "go").string() + " ]; do sleep 0.05; done\nprintf two\n");
  local::LocalBackend backend(place.workspace);
  const std::string id = backend.submit(job(place), {}).id;
  REQUIRE(wait_until([&] { return log_of(backend, id) == "one\n"; }));
  CHECK(backend.get_run(id).phase == Phase::running);
  CHECK(backend.read_log(id, local::kStdLog, 4, 100) == "");
  write_file(place.root / "go", "");
  wait_for(backend, id);
  CHECK(backend.read_log(id, local::kStdLog, 4, 100) == "two");
  CHECK(backend.read_log(id, local::kStdLog, 1, 3) == "ne\n");
  CHECK(backend.read_log(id, local::kStdLog, 1000, 3) == "");
}

TEST_CASE("a canceled run ends with all its processes, however they hide", "[cloud][local]") {
  const Workplace place;
  // Ignores SIGTERM, has a child in a session of its own, and an orphan with an environment of its own.
  const std::string orphan = (place.root / "orphan").string();
  place.script("trap '' TERM\nsetsid sleep 300 &\n(setsid env -i /bin/sh -c 'echo $$ > " + orphan +
               "; exec sleep 300' &)\nwhile [ ! -s " + orphan +
               " ]; do sleep 0.02; done\necho part > outputs/part\necho up\nwhile :; do sleep 0.1; done\n");
  local::LocalBackend backend(place.workspace);
  JobSpec spec = job(place);
  spec.grace = 300ms;
  const std::string id = backend.submit(spec, {}).id;
  REQUIRE(wait_until([&] { return log_of(backend, id) == "up\n"; }));
  CHECK(local::processes_with("CLOUD_RUN_ID=" + id).size() >= 2);
  backend.cancel_run(id);
  const RunInfo run = wait_for(backend, id);
  CHECK(run.phase == Phase::canceled);
  CHECK(local::processes_with("CLOUD_RUN_ID=" + id).empty());
  const auto escaped = parse_number<pid_t>(trim(read_file(orphan)));
  REQUIRE(escaped);
  CHECK(!fs::exists("/proc/" + std::to_string(*escaped)));
  CHECK(names(backend.list_artifacts(id, "outputs/")) == std::vector<std::string>{"outputs/part"});
  backend.cancel_run(id);  // nothing any more
  CHECK(backend.get_run(id).phase == Phase::canceled);
}

TEST_CASE("a program may end by itself when asked to", "[cloud][local]") {
  const Workplace place;
  place.script("trap 'echo saved > outputs/saved; exit 0' TERM\necho up\nwhile :; do sleep 0.05; done\n");
  local::LocalBackend backend(place.workspace);
  const std::string id = backend.submit(job(place), {}).id;
  REQUIRE(wait_until([&] { return log_of(backend, id) == "up\n"; }));
  backend.cancel_run(id);
  CHECK(wait_for(backend, id).phase == Phase::canceled);
  CHECK(names(backend.list_artifacts(id, "outputs/")) == std::vector<std::string>{"outputs/saved"});
}

TEST_CASE("a run ends after its timeout", "[cloud][local]") {
  const Workplace place;
  place.script("sleep 300\n");
  local::LocalBackend backend(place.workspace);
  JobSpec spec = job(place);
  spec.timeout = 1s;
  const RunInfo run = wait_for(backend, backend.submit(spec, {}).id);
  CHECK(run.phase == Phase::failed);
  CHECK_THAT(run.error, ContainsSubstring("within 1 s"));
}

TEST_CASE("a compute runs max_nodes runs at once, and one that waits can be canceled", "[cloud][local]") {
  const Workplace place;
  place.script("echo start >> " + (place.root / "order").string() + "\nsleep 0.3\necho end >> " +
               (place.root / "order").string() + "\n");
  local::LocalBackend backend(place.workspace);
  backend.create_compute("one", {.max_nodes = 1});
  JobSpec spec = job(place);
  spec.compute = "one";
  std::vector<std::string> ids;
  for (int i = 0; i < 3; ++i) ids.push_back(backend.submit(spec, {}).id);
  for (const std::string& id : ids) CHECK(wait_for(backend, id).phase == Phase::completed);
  CHECK(read_file(place.root / "order") == "start\nend\nstart\nend\nstart\nend\n");

  place.script("sleep 300\n");
  const std::string first = backend.submit(spec, {}).id;
  REQUIRE(wait_until([&] { return backend.get_run(first).phase == Phase::running; }));
  CHECK(backend.find_compute("one")->node_states.at("running") == 1);
  const std::string second = backend.submit(spec, {}).id;
  REQUIRE(wait_until([&] { return backend.get_run(second).phase == Phase::scaling; }));
  backend.cancel_run(second);
  const RunInfo canceled = wait_for(backend, second);
  CHECK(canceled.phase == Phase::canceled);
  CHECK(canceled.started == 0);
  CHECK(backend.get_run(first).phase == Phase::running);
  backend.cancel_run(first);
  wait_for(backend, first);
  CHECK(wait_until([&] { return backend.find_compute("one")->node_states.at("running") == 0; }));
}

TEST_CASE("metrics, params and tags are kept as they were logged", "[cloud][local]") {
  const Workplace place;
  local::LocalBackend backend(place.workspace);
  const std::string id = backend.start_run("test", "").id;
  Batch batch;
  batch.metrics = {{"Accuracy", 0.5, 10, 0}, {"Accuracy", std::nan(""), 11, 1}, {"a b/c", -HUGE_VAL, 12, -5}};
  batch.params = {{"epochs", "10"}};
  batch.tags = {{"t", "1"}, {"t", "2"}};
  backend.log_batch(id, batch);
  backend.log_batch(id, {.metrics = {{"Accuracy", 1e-300, 13, 2}}, .params = {{"epochs", "10"}}});
  const auto all = backend.metrics(id, "");
  REQUIRE(all.size() == 4);
  CHECK(all[2].key == "a b/c");
  CHECK(all[2].value == -HUGE_VAL);
  CHECK(all[2].step == -5);
  const auto accuracy = backend.metrics(id, "Accuracy");
  REQUIRE(accuracy.size() == 3);
  CHECK(accuracy[0].value == 0.5);
  CHECK(accuracy[0].timestamp == 10);
  CHECK(std::isnan(accuracy[1].value));
  CHECK(accuracy[2].value == 1e-300);
  CHECK(backend.get_run(id).tags.at("t") == "2");

  // All of a batch or nothing.
  CHECK_THROWS_AS(backend.log_batch(id, {.metrics = {{"x", 1, 1, 1}}, .params = {{"epochs", "11"}}}), ConflictError);
  CHECK(backend.metrics(id, "x").empty());
  CHECK(backend.params(id).size() == 1);
  CHECK_THROWS_AS(backend.log_batch("none", batch), NotFoundError);
  CHECK_THROWS_AS(backend.metrics("none", ""), NotFoundError);

  backend.end_run(id, Phase::completed, "");
  CHECK(backend.get_run(id).phase == Phase::completed);
}

TEST_CASE("many processes write one history", "[cloud][local]") {
  const Workplace place;
  std::vector<pid_t> writers;
  for (int i = 0; i < 4; ++i) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      int failed = 1;
      try {
        local::LocalBackend backend(place.workspace);  // all of them make the file
        const std::string id = backend.start_run("test", "writer").id;
        for (int k = 0; k < 50; ++k) backend.log_batch(id, {.metrics = {{"m", double(k), k, k}}});
        backend.end_run(id, Phase::completed, "");
        failed = 0;
      } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
      }
      ::_exit(failed);
    }
    writers.push_back(pid);
  }
  for (const pid_t pid : writers) {
    int status = 1;
    ::waitpid(pid, &status, 0);
    CHECK(status == 0);
  }
  local::LocalBackend backend(place.workspace);
  const RunPage page = backend.list_runs({});
  CHECK(page.runs.size() == 4);
  for (const RunInfo& run : page.runs) CHECK(backend.metrics(run.id, "m").size() == 50);
  CHECK(backend.integrity() == "ok");
}

TEST_CASE("runs are listed newest first, page by page", "[cloud][local]") {
  const Workplace place;
  local::LocalBackend backend(place.workspace);
  std::vector<std::string> ids;
  for (int i = 0; i < 7; ++i) {
    ids.insert(ids.begin(), backend.start_run(i % 2 == 0 ? "even" : "odd", "").id);
    backend.end_run(ids[0], i == 3 ? Phase::failed : Phase::completed, "");
  }
  std::vector<std::string> seen;
  RunQuery query{.max_results = 3};
  int pages = 0;
  do {
    const RunPage page = backend.list_runs(query);
    for (const RunInfo& run : page.runs) seen.push_back(run.id);
    query.page_token = page.next_page_token;
    ++pages;
  } while (!query.page_token.empty());
  CHECK(pages == 3);
  CHECK(seen == ids);
  CHECK(backend.list_runs({.experiment = "odd"}).runs.size() == 3);
  CHECK(backend.list_runs({.phase = Phase::failed}).runs.size() == 1);
  CHECK(backend.list_experiments() == std::vector<std::string>{"even", "odd"});
  CHECK_THROWS_AS(backend.list_runs({.page_token = "x"}), ConfigError);
}

TEST_CASE("a program that dies without ending its run leaves a failed run", "[cloud][local]") {
  const Workplace place;
  const pid_t pid = ::fork();
  if (pid == 0) {
    local::LocalBackend backend(place.workspace);
    backend.start_run("test", "");
    ::_exit(0);
  }
  ::waitpid(pid, nullptr, 0);
  local::LocalBackend backend(place.workspace);
  const RunPage page = backend.list_runs({});
  REQUIRE(page.runs.size() == 1);
  CHECK(page.runs[0].phase == Phase::failed);
  CHECK_THAT(page.runs[0].error, ContainsSubstring("without ending the run"));
}

TEST_CASE("models have versions, a digest that is checked, and folders", "[cloud][local]") {
  const Workplace place;
  place.script("echo one > outputs/model.npz\nmkdir outputs/net\necho a > outputs/net/a\necho b > outputs/net/b\n");
  local::LocalBackend backend(place.workspace);
  const RunInfo run = wait_for(backend, backend.submit(job(place), {}).id);
  CHECK_THROWS_AS(backend.get_model("net", 0), NotFoundError);
  const ModelInfo first =
      backend.register_model({.name = "net", .run_id = run.id, .path = "outputs/model.npz", .tags = {{"k", "v"}}});
  CHECK(first.version == 1);
  CHECK(first.sha256 == "2c8b08da5ce60398e1f19af0e5dccc744df274b826abe585eaba68c525434806");  // sha256sum of "one\n"
  write_file(place.root / "file.npz", "two");
  const ModelInfo second = backend.register_model({.name = "net", .path = (place.root / "file.npz").string()});
  CHECK(second.version == 2);
  CHECK(backend.register_model({.name = "tree", .run_id = run.id, .path = "outputs/net"}).version == 1);
  CHECK(backend.get_model("net", 0).version == 2);
  CHECK(backend.get_model("net", 1).tags.at("k") == "v");
  CHECK(backend.get_model("net", 1).run_id == run.id);
  CHECK(backend.list_models("net").size() == 2);
  CHECK(backend.list_models("").size() == 2);
  CHECK_THROWS_AS(backend.get_model("net", 3), NotFoundError);
  CHECK_THROWS_AS(backend.register_model({.name = "net", .run_id = run.id, .path = "outputs/no"}), NotFoundError);
  CHECK_THROWS_AS(backend.register_model({.name = "net", .run_id = run.id, .path = "outputs/mod"}), NotFoundError);

  CHECK(backend.download_model(second, place.root / "dl", {}) == std::vector<fs::path>{place.root / "dl" / "file.npz"});
  CHECK(read_file(place.root / "dl" / "file.npz") == "two");
  const auto tree = backend.download_model(backend.get_model("tree", 0), place.root / "dl", {});
  CHECK(tree == std::vector<fs::path>{place.root / "dl" / "net" / "a", place.root / "dl" / "net" / "b"});

  for (const auto& entry : fs::recursive_directory_iterator(place.workspace / "models")) {
    if (entry.path().filename() == "model.npz") write_file(entry.path(), "bad");
  }
  CHECK_THROWS_AS(backend.download_model(first, place.root / "dl", {}), FileError);
  CHECK(!fs::exists(place.root / "dl" / "model.npz"));
}

TEST_CASE("a history that is no database, or one of a later version, is an error", "[cloud][local]") {
  const Workplace place;
  fs::create_directories(place.workspace);
  write_file(place.workspace / "history.db", std::string(5000, 'x'));
  CHECK_THROWS_AS(local::LocalBackend(place.workspace), Error);
  fs::remove(place.workspace / "history.db");
  local::LocalBackend(place.workspace).start_run("test", "");
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open((place.workspace / "history.db").c_str(), &db) == SQLITE_OK);
  REQUIRE(sqlite3_exec(db, "PRAGMA user_version=99", nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(db);
  CHECK_THROWS_AS(local::LocalBackend(place.workspace), ConfigError);
}

TEST_CASE("a run goes on when its supervisor is killed, and ends when its keeper is", "[cloud][local][crash]") {
  const Workplace place;
  const std::string go = (place.root / "go").string();
  place.script("echo up\nwhile [ ! -e " + go + " ]; do sleep 0.05; done\necho done > outputs/done\n");
  local::LocalBackend backend(place.workspace);
  const std::string id = backend.submit(job(place), {}).id;
  REQUIRE(wait_until([&] { return log_of(backend, id) == "up\n"; }));
  const auto before = supervisors(backend.workspace().location);
  REQUIRE(before.size() == 2);
  for (const pid_t pid : before) {
    if (!is_keeper(pid)) ::kill(pid, SIGKILL);
  }
  // Nobody looks at the run: the keeper sees to a new supervisor.
  CHECK(wait_until([&] { return supervisors(backend.workspace().location).size() == 2; }));
  write_file(go, "");
  RunInfo run = wait_for(backend, id);
  CHECK(run.phase == Phase::completed);
  CHECK(names(backend.list_artifacts(id, "outputs/")) == std::vector<std::string>{"outputs/done"});

  fs::remove(go);
  const std::string second = backend.submit(job(place), {}).id;
  REQUIRE(wait_until([&] { return log_of(backend, second) == "up\n"; }));
  for (const pid_t pid : supervisors(backend.workspace().location)) {
    if (is_keeper(pid)) ::kill(pid, SIGKILL);
  }
  run = wait_for(backend, second);
  CHECK(run.phase == Phase::failed);
  CHECK_THAT(run.error, ContainsSubstring("watched over"));
  CHECK(local::processes_with("CLOUD_RUN_ID=" + second).empty());
}

TEST_CASE("a build goes on when its supervisor is killed, and leaves nothing when its keeper is",
          "[cloud][local][crash]") {
  const Workplace place;
  const std::string go = (place.root / "go").string();
  place.write("CMakeLists.txt", std::string(kCMake) + "execute_process(COMMAND sh -c \"while [ ! -e " + go +
                                    " ]; do sleep 0.05; done\")\nmessage(STATUS configured)\n");
  place.write("tiny.c", "int main(void) { return 0; }\n");
  local::LocalBackend backend(place.workspace);
  const auto has_keeper = [&] {
    for (const pid_t pid : supervisors(place.workspace)) {
      if (is_keeper(pid)) return true;
    }
    return false;
  };
  const std::string id = backend.submit(job(place, "tiny"), {}).id;
  REQUIRE(wait_until([&] { return has_keeper() && local::processes_with("CLOUD_RUN_ID=" + id).size() > 1; }));
  for (const pid_t pid : supervisors(place.workspace)) {
    if (!is_keeper(pid)) ::kill(pid, SIGKILL);
  }
  CHECK(wait_until([&] { return supervisors(place.workspace).size() == 2; }));
  // Another run of the same sources waits for that build.
  const std::string second = backend.submit(job(place, "tiny"), {}).id;
  REQUIRE(wait_until([&] { return log_of(backend, second, local::kBuildLog).find("Waiting") == 0; }));
  write_file(go, "");
  CHECK(wait_for(backend, id).phase == Phase::completed);
  CHECK(wait_for(backend, second).phase == Phase::completed);
  const std::string log = log_of(backend, id, local::kBuildLog);
  CHECK(log.find("-- configured") != std::string::npos);
  CHECK(log.find("-- configured") == log.rfind("-- configured"));
  // Whichever got the lock first has built it, alone.
  const bool first_built = log.find("Linking") != std::string::npos;
  CHECK(first_built != (log_of(backend, second, local::kBuildLog).find("Linking") != std::string::npos));

  fs::remove(go);
  place.write("tiny.c", "int main(void) { return 1 - 1; }\n");
  const std::string third = backend.submit(job(place, "tiny"), {}).id;
  REQUIRE(wait_until([&] { return has_keeper() && local::processes_with("CLOUD_RUN_ID=" + third).size() > 1; }));
  for (const pid_t pid : supervisors(place.workspace)) {
    if (is_keeper(pid)) ::kill(pid, SIGKILL);
  }
  const RunInfo run = wait_for(backend, third);
  CHECK(run.phase == Phase::failed);
  CHECK(local::processes_with("CLOUD_RUN_ID=" + third).empty());
  write_file(go, "");
  CHECK(wait_for(backend, backend.submit(job(place, "tiny"), {}).id).phase == Phase::completed);

  // Canceled while it builds.
  fs::remove(go);
  place.write("tiny.c", "int main(void) { return 2 - 2; }\n");
  const std::string fourth = backend.submit(job(place, "tiny"), {}).id;
  REQUIRE(wait_until([&] { return local::processes_with("CLOUD_RUN_ID=" + fourth).size() > 1; }));
  backend.cancel_run(fourth);
  CHECK(wait_for(backend, fourth).phase == Phase::canceled);
  CHECK(local::processes_with("CLOUD_RUN_ID=" + fourth).empty());
}

// DNN_CRASH_ROUNDS sets how often (10).
TEST_CASE("kill -9 of anything at any moment loses no finished run and leaves no process", "[cloud][local][crash]") {
  const Workplace place;
  const char* wanted = std::getenv("DNN_CRASH_ROUNDS");
  const int rounds = wanted == nullptr ? 10 : std::atoi(wanted);
  place.script(
      "setsid sleep 300 &\nfor i in 1 2 3 4 5 6; do echo line $i; sleep 0.05; done\necho result > outputs/result\n"
      "touch " +
      (place.root / "finished-").string() + "$CLOUD_RUN_ID\n");
  local::LocalBackend(place.workspace).create_compute("c", {.max_nodes = 1});
  const fs::path workspace = fs::canonical(place.workspace);
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  enum Victim { controller, supervisor, keeper, program, everything };
  int completed = 0;
  std::set<std::string> known;
  for (int round = 0; round < rounds; ++round) {
    const auto victim = static_cast<Victim>(round % 5);
    const pid_t child = ::fork();
    if (child == 0) {
      try {
        local::LocalBackend backend(place.workspace);
        JobSpec spec = job(place);
        spec.compute = "c";
        const std::string id = backend.submit(spec, {}).id;
        while (!is_terminal(backend.get_run(id).phase)) std::this_thread::sleep_for(5ms);
      } catch (const std::exception& error) {
        std::fprintf(stderr, "controller: %s\n", error.what());
      }
      ::_exit(0);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(std::uniform_int_distribution<int>(0, 700)(random)));
    if (victim == controller || victim == everything) ::kill(child, SIGKILL);
    for (const pid_t pid : supervisors(workspace)) {
      if (victim == everything || (victim == supervisor && !is_keeper(pid)) || (victim == keeper && is_keeper(pid))) {
        ::kill(pid, SIGKILL);
      }
    }
    if (victim == program || victim == everything) {
      local::LocalBackend looker(place.workspace);
      for (const RunInfo& run : looker.list_runs({.max_results = 1}).runs) {
        for (const pid_t pid : local::processes_with("CLOUD_RUN_ID=" + run.id)) ::kill(pid, SIGKILL);
      }
    }
    {
      // A later process finds what is left and sees it to its end.
      local::LocalBackend later(place.workspace);
      REQUIRE(wait_until([&] {
        bool all = true;
        for (const RunInfo& run : later.list_runs({}).runs) all = all && is_terminal(run.phase);
        return all;
      }));
      CHECK(later.integrity() == "ok");
      for (const RunInfo& run : later.list_runs({.max_results = 1}).runs) {
        if (!known.insert(run.id).second) continue;  // killed before there was a run
        INFO("round " << round << ", victim " << victim << ", run " << run.id << ": " << phase_name(run.phase) << " "
                      << run.error);
        CHECK(wait_until([&] { return local::processes_with("CLOUD_RUN_ID=" + run.id).empty(); }, 5s));
        const bool finished = fs::exists(place.root / ("finished-" + run.id));
        if (run.phase == Phase::completed) {
          ++completed;
          CHECK(finished);
          CHECK(names(later.list_artifacts(run.id, "outputs/")) == std::vector<std::string>{"outputs/result"});
          CHECK(log_of(later, run.id) == "line 1\nline 2\nline 3\nline 4\nline 5\nline 6\n");
        } else {
          CHECK(run.phase == Phase::failed);
          CHECK(!run.error.empty());
          // Who leads or watches a run may die without harm to it. A program or keeper killed in the very moment in
          // which the program has done its work but not ended is another matter.
          if (victim == supervisor) CHECK(false);
          if (victim == controller) CHECK_THAT(run.error, ContainsSubstring("snapshot"));
        }
      }
    }
    CHECK(wait_until([&] { return supervisors(workspace).empty(); }, 5s));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  }
  WARN(rounds << " rounds, " << completed << " runs completed");
}
