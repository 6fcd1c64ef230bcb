// golden --dir FOLDER [--filter PATTERN]: runs the reference cases of a folder against dnn.
#include <cstdio>
#include <cstring>
#include <exception>
#include <fstream>
#include <map>
#include <string>

#include "dnn/core/config.hpp"
#include "dnn/core/random.hpp"
#include "golden.hpp"

namespace {

constexpr const char* usage =
    "golden --dir FOLDER [--filter PATTERN] [--device DEVICE]\n\n"
    "Runs the cases of FOLDER/manifest.json whose callable is bound; PATTERN selects those whose name contains it.\n"
    "Prints each failure, the callables that were skipped, and the counts. Exit code 1 when a case fails.\n";

enum class Outcome { passed, failed, skipped };

Outcome run(const golden::Json& description, const std::filesystem::path& folder, std::string& skipped_key) {
  const std::string name = description.at("case");
  skipped_key = golden::key_of(description);
  const auto found = golden::runners().find(skipped_key);
  if (found == golden::runners().end()) return Outcome::skipped;
  std::vector<std::string> failures;
  try {
    golden::Case test(description, folder);
    const auto dtype = dnn::using_dtype(test.dtype());
    const golden::Json config = description.value("config", golden::Json::object());
    const auto train = dnn::using_train(config.value("train", true));
    dnn::seed(0);
    found->second(test);
    failures = std::move(test.failures);
  } catch (const golden::Skip& skip) {
    skipped_key += " (" + skip.what + ")";
    return Outcome::skipped;
  } catch (const std::exception& error) {
    failures.push_back(error.what());
  }
  for (const auto& failure : failures) std::printf("FAILED %s: %s\n", name.c_str(), failure.c_str());
  return failures.empty() ? Outcome::passed : Outcome::failed;
}

}  // namespace

int main(int argc, char** argv) {
  std::filesystem::path folder;
  std::string filter, device_name = "cpu";
  for (int i = 1; i < argc; ++i) {
    const bool has_value = i + 1 < argc;
    if (std::strcmp(argv[i], "--dir") == 0 && has_value) {
      folder = argv[++i];
    } else if (std::strcmp(argv[i], "--filter") == 0 && has_value) {
      filter = argv[++i];
    } else if (std::strcmp(argv[i], "--device") == 0 && has_value) {
      device_name = argv[++i];
    } else {
      std::fputs(usage, stderr);
      return 2;
    }
  }
  if (folder.empty()) {
    std::fputs(usage, stderr);
    return 2;
  }

  const auto device = dnn::using_device(device_name);
  golden::bind_functions();
  golden::bind_array_functions();
  golden::bind_network_functions();
  golden::bind_expressions();
  golden::bind_links();
  golden::bind_optimizers();
  golden::bind_training();
  golden::bind_text();

  golden::Json manifest;
  try {
    std::ifstream file(folder / "manifest.json");
    if (!file) throw std::runtime_error("cannot be opened");
    manifest = golden::Json::parse(file);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", (folder / "manifest.json").c_str(), error.what());
    return 2;
  }
  std::map<std::string, int> skipped;
  int counts[3] = {};
  for (const auto& description : manifest.at("cases")) {
    if (description.at("case").get<std::string>().find(filter) == std::string::npos) continue;
    std::string key;
    const Outcome outcome = run(description, folder, key);
    ++counts[static_cast<int>(outcome)];
    if (outcome == Outcome::skipped) ++skipped[key];
  }
  for (const auto& [key, count] : skipped) std::printf("skipped %3d %s\n", count, key.c_str());
  std::printf("%d passed, %d failed, %d skipped\n", counts[0], counts[1], counts[2]);
  return counts[1] == 0 ? 0 : 1;
}
