/// The stand-in for Azure that the tests talk to: contract_server.py of $DNN_AZUREML_DIR (default
/// ../shared/azureml/server beside this repository), started on a free port of this machine and ended with the object.
#pragma once

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "cloud/backend/config.hpp"
#include "cloud/core/env.hpp"
#include "cloud/core/file.hpp"
#include "cloud/core/guid.hpp"
#include "cloud/core/process.hpp"
#include "cloud/core/text.hpp"
#include "cloud/http/client.hpp"
#include "cloud/json/json.hpp"

namespace cloud::test {

/// An empty folder that goes away with the object.
struct Folder {
  Folder() : path(fs::temp_directory_path() / ("cloud-test-" + random_hex(12))) { fs::create_directories(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  fs::path write(const std::string& name, const std::string& text) const {
    const fs::path file = path / name;
    fs::create_directories(file.parent_path());
    write_file(file, text);
    return file;
  }
  fs::path path;
};

/// Sets a variable (or, with nothing, unsets it) until the end of the scope.
class ScopedEnv {
 public:
  ScopedEnv(std::string name, std::optional<std::string> value) : name_(std::move(name)), old_(env(name_.c_str())) {
    set(value);
  }
  ScopedEnv(const ScopedEnv&) = delete;
  ScopedEnv& operator=(const ScopedEnv&) = delete;
  ~ScopedEnv() { set(old_); }

 private:
  void set(const std::optional<std::string>& value) const {
    if (value) {
      ::setenv(name_.c_str(), value->c_str(), 1);
    } else {
      ::unsetenv(name_.c_str());
    }
  }
  std::string name_;
  std::optional<std::string> old_;
};

/// Another program that lives as long as the object: its standard output is read line by line.
class Program {
 public:
  explicit Program(const std::vector<std::string>& arguments) {
    int out[2];
    if (::pipe2(out, O_CLOEXEC) != 0) throw Error("start " + arguments[0], "no pipe");
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGTERM);
      ::dup2(out[1], 1);
      std::vector<char*> argv;
      for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
      argv.push_back(nullptr);
      ::execvp(argv[0], argv.data());
      ::_exit(127);
    }
    ::close(out[1]);
    out_ = ::fdopen(out[0], "r");
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program() {
    ::kill(pid_, SIGTERM);
    ::waitpid(pid_, nullptr, 0);
    std::fclose(out_);
  }
  std::string line() const {
    std::string text;
    for (int c = std::fgetc(out_); c != EOF && c != '\n'; c = std::fgetc(out_)) text += static_cast<char>(c);
    return text;
  }

 private:
  pid_t pid_ = -1;
  std::FILE* out_ = nullptr;
};

/// Makes `cert.pem`, which is its own authority and good for 127.0.0.1 and localhost, and `key.pem`.
inline bool make_certificate(const fs::path& folder) {
  const ProgramResult made =
      run_program({"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                   "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout", (folder / "key.pem").string(),
                   "-out", (folder / "cert.pem").string()},
                  std::chrono::seconds(60));
  return made.exit_code == 0 && fs::exists(folder / "cert.pem");
}

class ContractServer {
 public:
  /// Nothing, after a message, when the server's files or Python are not there.
  static std::unique_ptr<ContractServer> start(const std::vector<std::string>& options = {}) {
    const fs::path repository = fs::absolute(__FILE__).parent_path().parent_path().parent_path();
    const fs::path folder =
        env_or("DNN_AZUREML_DIR", (repository.parent_path() / "shared" / "azureml" / "server").string());
    const fs::path script = folder / "contract_server.py";
    if (!fs::exists(script)) {
      WARN("skipped: there is no " << script.string() << " (DNN_AZUREML_DIR names its folder)");
      return nullptr;
    }
    std::unique_ptr<ContractServer> server(new ContractServer(script, options));
    server->folder = folder;
    if (server->arm.empty()) {
      WARN("skipped: python3 could not start " << script.string());
      return nullptr;
    }
    return server;
  }

  std::string arm;                                 // base URL
  std::map<std::string, std::string> environment;  // of a client: AZURE_…, STANDIN_…

  WorkspaceConfig config() const {
    return {.subscription_id = at("STANDIN_SUBSCRIPTION"),
            .resource_group = at("STANDIN_RESOURCE_GROUP"),
            .workspace_name = at("STANDIN_WORKSPACE"),
            .arm_url = arm,
            .authority_host = at("AZURE_AUTHORITY_HOST")};
  }
  const std::string& at(const std::string& name) const { return environment.at(name); }

  /// Repeats at once, so that tests of faults are quick.
  http::ClientOptions client_options() const {
    http::ClientOptions options;
    options.backoff.initial = std::chrono::milliseconds(20);
    options.ca_file = ca_file;
    return options;
  }
  http::Client client() const { return http::Client(client_options()); }

  Json admin(const std::string& method, const std::string& what, const Json& body = {}) const {
    const http::Response response = client().send({.tried = "ask the stand-in",
                                                   .method = method,
                                                   .url = arm + "/__admin/" + what,
                                                   .headers = {{"Content-Type", "application/json"}},
                                                   .body = body.is_null() ? "" : json::dump(body)});
    if (!response.ok()) throw Error("ask the stand-in for " + what, response.body);
    return json::parse("ask the stand-in", response.body);
  }
  void scenario(const std::vector<Json>& rules) const {
    Json document = Json::object();
    document["rules"] = rules;
    admin("POST", "scenario", document);
  }
  Json requests(const std::string& path) const {
    return json::array(admin("GET", "requests?path=" + percent_encode(path)), {"requests"});
  }
  /// Rule and message of all breaches of the contract, and of faults of the stand-in itself; "" when all is well.
  std::string complaints() const {
    std::string text;
    const Json violations = admin("GET", "violations?severity=violation");
    for (const Json& item : json::array(violations, {"violations"})) {
      text += json::text(item, {"method"}) + " " + json::text(item, {"path"}) + " " + json::text(item, {"rule"}) +
              ": " + json::text(item, {"message"}) + "\n";
    }
    const Json problems = admin("GET", "selfcheck");
    for (const Json& item : json::array(problems, {"problems"})) text += "selfcheck: " + json::text(item) + "\n";
    return text;
  }

  fs::path folder;      // of the server's files
  std::string ca_file;  // with --tls: the certificate

 private:
  ContractServer(const fs::path& script, const std::vector<std::string>& options) {
    const fs::path file = folder_.path / "env.sh";
    std::vector<std::string> arguments = {
        "python3",    script.string(), "--port",     "0",
        "--env-file", file.string(),   "--work-dir", (folder_.path / "work").string()};
    fs::create_directories(folder_.path / "work");
    for (std::size_t i = 0; i < options.size(); ++i) {
      arguments.push_back(options[i]);
      if (options[i] == "--tls") ca_file = options[i + 1];
    }
    program_ = std::make_unique<Program>(arguments);
    const std::string line = program_->line();
    constexpr std::string_view kStart = "listening ";
    if (!line.starts_with(kStart)) return;
    arm = line.substr(kStart.size());
    for (const std::string& entry : split(read_file(file), '\n')) {
      const std::size_t equals = entry.find('=');
      if (equals == std::string::npos || !entry.starts_with("export ")) continue;
      environment[entry.substr(7, equals - 7)] = entry.substr(equals + 2, entry.size() - equals - 3);
    }
  }

  Folder folder_;
  std::unique_ptr<Program> program_;
};

/// The identity that the stand-in knows, in the environment until the end of the scope.
struct SignedIn {
  explicit SignedIn(const ContractServer& server)
      : tenant("AZURE_TENANT_ID", server.at("AZURE_TENANT_ID")),
        id("AZURE_CLIENT_ID", server.at("AZURE_CLIENT_ID")),
        secret("AZURE_CLIENT_SECRET", server.at("AZURE_CLIENT_SECRET")),
        choice("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential") {}
  ScopedEnv tenant, id, secret, choice;
};

}  // namespace cloud::test
