// A command line for workspaces of every kind: runs, their logs, files and metrics, computes and models.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <cloud/cloud.hpp>

using cloud::Json;

namespace {

// Rows with columns as wide as they need.
class Table {
 public:
  explicit Table(std::vector<std::string> head) : rows_{std::move(head)} {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  void print() const {
    std::vector<std::size_t> widths(rows_[0].size());
    for (const auto& row : rows_) {
      for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    }
    for (const auto& row : rows_) {
      std::string line;
      for (std::size_t i = 0; i < row.size(); ++i) {
        line += row[i];
        if (i + 1 < row.size()) line.append(widths[i] - row[i].size() + 2, ' ');
      }
      std::printf("%s\n", line.c_str());
    }
  }

 private:
  std::vector<std::vector<std::string>> rows_;
};

std::string time_text(cloud::Milliseconds time) {
  if (time == 0) return "-";
  std::string text = cloud::rfc3339(time).substr(0, 19);
  text[10] = ' ';
  return text;
}

std::string duration(const cloud::RunInfo& run) {
  if (run.started == 0) return "-";
  return cloud::duration_text((run.ended == 0 ? cloud::now_ms() : run.ended) - run.started);
}

// The last value of each series.
std::map<std::string, double> last_values(const cloud::Run& run) {
  std::map<std::string, double> result;
  for (const cloud::Metric& metric : run.metrics()) result[metric.key] = metric.value;
  return result;
}

void print_json(const Json& value) { std::printf("%s\n", cloud::json::dump_pretty(value).c_str()); }

template <class Items>
Json json_list(const Items& items) {
  Json list = Json::array();
  for (const auto& item : items) list.push_back(to_json(item));
  return list;
}

struct Arguments {
  std::string local;
  std::string config;
  bool json = false;
  std::string experiment;
  int limit = 20;
  std::string run;
  std::vector<std::string> runs;
  bool follow = false;
  std::string name;
  int version = 0;
  std::string prefix;
  std::string to = ".";
  int days = 7;
};

cloud::Workspace open(const Arguments& args) {
  return args.local.empty() ? cloud::Workspace::from_config(args.config) : cloud::Workspace::local(args.local);
}

void list_runs(const Arguments& args) {
  const auto runs =
      cloud::Experiment(open(args), args.experiment).runs(static_cast<std::size_t>(std::max(args.limit, 0)));
  if (args.json) return print_json(json_list(runs));
  Table table({"RUN", "EXPERIMENT", "PHASE", "CREATED (UTC)", "RUNNING"});
  for (const auto& run : runs) {
    table.add({run.id, run.experiment, cloud::phase_name(run.phase), time_text(run.created), duration(run)});
  }
  table.print();
}

void show_run(const Arguments& args) {
  const auto run = open(args).run(args.run);
  const cloud::RunInfo info = run.info();
  const auto files = run.files();
  if (args.json) {
    Json value = to_json(info);
    value["files"] = json_list(files);
    value["metrics"] = json_list(run.metrics());
    value["params"] = Json::object();
    for (const cloud::Param& param : run.params()) value["params"][param.key] = param.value;
    return print_json(value);
  }
  Table table({"Run", info.id});
  table.add({"Experiment", info.experiment});
  table.add({"Phase",
             cloud::phase_name(info.phase) + (info.exit_code ? ", exit code " + std::to_string(*info.exit_code) : "")});
  if (!info.error.empty()) table.add({"Error", info.error});
  if (!info.compute.empty()) table.add({"Compute", info.compute});
  table.add({"Created", time_text(info.created) + " UTC"});
  table.add({"Running", duration(info)});
  if (!info.web_url.empty()) table.add({"Web View", info.web_url});
  for (const auto& [key, value] : info.tags) table.add({"Tag " + key, value});
  for (const cloud::Param& param : run.params()) table.add({"Param " + param.key, param.value});
  for (const auto& [key, value] : last_values(run)) table.add({"Metric " + key, cloud::number_text(value)});
  for (const cloud::Artifact& file : files)
    table.add({"File", file.path + (file.size ? "  " + cloud::size_text(*file.size) : "")});
  table.print();
}

void tail_run(const Arguments& args) {
  const auto run = open(args).run(args.run);
  if (args.follow) {
    run.wait_for_completion({.show_output = true, .raise_on_error = false});
    return;
  }
  const cloud::RunInfo info = run.info();
  for (const std::string& file : info.log_files) {
    std::uint64_t offset = 0;
    for (std::string bytes; !(bytes = run.backend()->read_log(run.id(), file, offset, 1 << 20)).empty();
         offset += bytes.size()) {
      cloud::print(bytes);
    }
  }
}

void cancel_run(const Arguments& args) {
  const auto run = open(args).run(args.run);
  run.cancel();
  const cloud::RunInfo info = run.wait_for_completion({.raise_on_error = false});
  if (args.json) return print_json(to_json(info));
  std::printf("%s: %s\n", info.id.c_str(), cloud::phase_name(info.phase));
}

void compare_runs(const Arguments& args) {
  const auto ws = open(args);
  std::vector<cloud::Run> runs;
  std::vector<std::map<std::string, std::string>> columns;
  std::set<std::string> rows;
  std::vector<std::string> head{""};
  Json all = Json::array();
  for (const std::string& id : args.runs) {
    const auto run = ws.run(id);
    const cloud::RunInfo info = run.info();
    std::map<std::string, std::string>& column = columns.emplace_back();
    Json entry{
        {"id", id}, {"phase", cloud::phase_name(info.phase)}, {"params", Json::object()}, {"metrics", Json::object()}};
    for (const cloud::Param& param : run.params()) {
      column["param " + param.key] = param.value;
      entry["params"][param.key] = param.value;
    }
    for (const auto& [key, value] : last_values(run)) {
      column["metric " + key] = cloud::number_text(value);
      entry["metrics"][key] = cloud::json::number_value(value);
    }
    column["phase"] = cloud::phase_name(info.phase);
    column["running"] = duration(info);
    for (const auto& [key, value] : column) rows.insert(key);
    head.push_back(id);
    all.push_back(std::move(entry));
  }
  if (args.json) return print_json(all);
  Table table(std::move(head));
  for (const std::string& row : rows) {
    std::vector<std::string> line{row};
    for (auto& column : columns) line.push_back(column.contains(row) ? column[row] : "-");
    table.add(std::move(line));
  }
  table.print();
}

void list_files(const Arguments& args) {
  const auto files = open(args).run(args.run).files(args.prefix);
  if (args.json) return print_json(json_list(files));
  Table table({"FILE", "SIZE"});
  for (const cloud::Artifact& file : files) table.add({file.path, file.size ? cloud::size_text(*file.size) : "-"});
  table.print();
}

void download(const Arguments& args) {
  const auto ws = open(args);
  std::vector<std::filesystem::path> written;
  if (!args.name.empty()) {
    written = ws.model(args.name, args.version).download(args.to);
  } else if (!args.run.empty()) {
    written = ws.run(args.run).download_files(args.prefix, args.to);
  } else {
    throw cloud::ConfigError("download", "say what: --run ID or --model NAME");
  }
  Json paths = Json::array();
  for (const auto& path : written) {
    paths.push_back(path.string());
    if (!args.json) std::printf("%s\n", path.c_str());
  }
  if (args.json) print_json(paths);
}

void list_models(const Arguments& args) {
  std::vector<cloud::ModelInfo> models;
  for (const cloud::Model& model : open(args).models(args.name)) models.push_back(model.info());
  if (args.json) return print_json(json_list(models));
  Table table({"MODEL", "VERSION", "CREATED (UTC)", "SIZE", "RUN", "FILE"});
  for (const auto& model : models) {
    table.add({model.name, std::to_string(model.version), time_text(model.created),
               model.size ? cloud::size_text(*model.size) : "-", model.run_id.empty() ? "-" : model.run_id,
               model.path});
  }
  table.print();
}

void list_computes(const Arguments& args) {
  const auto computes = open(args).backend().list_computes();
  if (args.json) return print_json(json_list(computes));
  Table table({"COMPUTE", "SIZE", "STATE", "NODES"});
  for (const auto& compute : computes) {
    table.add({compute.name, compute.spec.vm_size, compute.provisioning_state,
               std::to_string(compute.current_nodes) + " of " + std::to_string(compute.spec.max_nodes)});
  }
  table.print();
}

void list_experiments(const Arguments& args) {
  const auto names = open(args).experiments();
  if (args.json) return print_json(Json(names));
  for (const std::string& name : names) std::printf("%s\n", name.c_str());
}

void prune(const Arguments& args) {
  const auto ws = open(args);
  auto* local = dynamic_cast<cloud::local::LocalBackend*>(&ws.backend());
  if (local == nullptr) throw cloud::UnsupportedError("prune", "only a local workspace keeps builds and snapshots");
  const std::uint64_t bytes = local->prune(std::chrono::hours(24 * std::max(args.days, 0)));
  if (args.json) return print_json({{"bytes", bytes}});
  std::printf("Removed %s\n", cloud::size_text(bytes).c_str());
}

int start(int argc, char** argv) {
  Arguments args;
  CLI::App app{"Looks after the runs and models of a workspace"};
  app.require_subcommand(1);
  app.fallthrough();
  auto* local = app.add_option("--local", args.local, "A local workspace: a folder of this machine");
  app.add_option("--config", args.config,
                 "Azure: a config.json, or a folder from which to look for one (default: from here)")
      ->excludes(local);
  app.add_flag("--json", args.json, "Write JSON, for programs");

  void (*command)(const Arguments&) = nullptr;
  const auto add = [&](const char* name, const char* help, void (*function)(const Arguments&)) {
    CLI::App* sub = app.add_subcommand(name, help);
    sub->callback([&command, function] { command = function; });
    return sub;
  };
  CLI::App* sub = add("list", "Runs, newest first", list_runs);
  sub->add_option("experiment", args.experiment, "Only those of this experiment");
  sub->add_option("-n,--limit", args.limit, "At most so many")->capture_default_str();
  sub = add("show", "A run: phase, params, metrics, files", show_run);
  sub->add_option("run", args.run)->required();
  sub = add("tail", "A run's logs", tail_run);
  sub->add_option("run", args.run)->required();
  sub->add_flag("-f,--follow", args.follow, "Go on until the run ends");
  sub = add("cancel", "End a run", cancel_run);
  sub->add_option("run", args.run)->required();
  sub = add("compare", "Params and last metrics of runs, side by side", compare_runs);
  sub->add_option("runs", args.runs)->required();
  sub = add("files", "A run's files", list_files);
  sub->add_option("run", args.run)->required();
  sub->add_option("prefix", args.prefix, "Only those that start with this");
  sub = add("models", "Registered models, or all versions of one", list_models);
  sub->add_option("name", args.name);
  sub = add("download", "Files of a run, or a model", download);
  sub->add_option("--run", args.run, "A run's files");
  sub->add_option("--prefix", args.prefix, "Only those that start with this");
  sub->add_option("--model", args.name, "A registered model");
  sub->add_option("--version", args.version, "Its version; 0: the latest")->capture_default_str();
  sub->add_option("-o,--to", args.to, "The folder to write to")->capture_default_str();
  sub = add("prune", "Remove builds, snapshots and working directories that were not used lately", prune);
  sub->add_option("--days", args.days, "Keep what was used in these last days")->capture_default_str();
  add("computes", "Computes", list_computes);
  add("experiments", "Names of experiments", list_experiments);
  CLI11_PARSE(app, argc, argv);
  try {
    command(args);
    return 0;
  } catch (const std::exception& error) {
    std::fflush(stdout);
    if (args.json) {
      std::printf("%s\n", cloud::json::dump(Json{{"error", error.what()}}).c_str());
    } else {
      std::fprintf(stderr, "%s\n", error.what());
    }
    return 1;
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return start(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
