/// Azure's clouds: the public one and the sovereign ones.
#pragma once

#include <string>
#include <string_view>

#include "cloud/core/env.hpp"
#include "cloud/core/error.hpp"
#include "cloud/core/text.hpp"

namespace cloud::auth {

struct Cloud {
  std::string name{};
  std::string arm{};             // base URL of the resource manager
  std::string authority{};       // base URL of Entra ID
  std::string arm_audience{};    // what a token for the resource manager and the data plane is asked for
  std::string ml_audience{};     // … for online endpoints
  std::string storage_suffix{};  // host of a blob account: <account>.blob.<suffix>

  std::string arm_scope() const { return arm_audience + "/.default"; }
  std::string ml_scope() const { return ml_audience + "/.default"; }
  static std::string storage_scope() { return "https://storage.azure.com/.default"; }

  /// AzureCloud, AzureChinaCloud or AzureUSGovernment, whatever the case of the letters; throws ConfigError.
  static Cloud named(std::string_view name) {
    const auto make = [](const char* n, const char* manager, const char* login, const char* ml, const char* storage) {
      return Cloud{n, manager, login, manager, ml, storage};
    };
    if (equal_ignoring_case(name, "AzureCloud")) {
      return make("AzureCloud", "https://management.azure.com", "https://login.microsoftonline.com",
                  "https://ml.azure.com", "core.windows.net");
    }
    if (equal_ignoring_case(name, "AzureChinaCloud")) {
      return make("AzureChinaCloud", "https://management.chinacloudapi.cn", "https://login.chinacloudapi.cn",
                  "https://ml.azure.cn", "core.chinacloudapi.cn");
    }
    if (equal_ignoring_case(name, "AzureUSGovernment")) {
      return make("AzureUSGovernment", "https://management.usgovcloudapi.net", "https://login.microsoftonline.us",
                  "https://ml.azure.us", "core.usgovcloudapi.net");
    }
    throw ConfigError("choose a cloud",
                      "'" + std::string(name) +
                          "' is not one of AzureCloud, AzureChinaCloud, AzureUSGovernment; for another one set "
                          "CLOUD_ARM_URL and AZURE_AUTHORITY_HOST");
  }

  /// AZUREML_CURRENT_CLOUD (default AzureCloud), with the addresses that CLOUD_ARM_URL and AZURE_AUTHORITY_HOST give in
  /// place of its own.
  static Cloud from_environment() {
    Cloud cloud = named(env_or("AZUREML_CURRENT_CLOUD", "AzureCloud"));
    cloud.arm = env_or("CLOUD_ARM_URL", cloud.arm);
    cloud.authority = env_or("AZURE_AUTHORITY_HOST", cloud.authority);
    return cloud;
  }
};

}  // namespace cloud::auth
