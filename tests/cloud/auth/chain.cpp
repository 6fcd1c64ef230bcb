#include "cloud/auth/chain.hpp"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "cloud/contract_server.hpp"

using namespace cloud;
using cloud::test::ContractServer;
using cloud::test::Folder;
using cloud::test::ScopedEnv;

namespace {

// Nothing of this machine's own environment that could sign in.
struct Nobody {
  ScopedEnv tenant{"AZURE_TENANT_ID", {}}, id{"AZURE_CLIENT_ID", {}}, secret{"AZURE_CLIENT_SECRET", {}},
      file{"AZURE_FEDERATED_TOKEN_FILE", {}}, identity{"IDENTITY_ENDPOINT", {}}, header{"IDENTITY_HEADER", {}},
      msi{"MSI_ENDPOINT", {}}, msi_secret{"MSI_SECRET", {}}, own{"DEFAULT_IDENTITY_CLIENT_ID", {}},
      choice{"AZURE_TOKEN_CREDENTIALS", {}}, imds{"AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:1"};
};

auth::Cloud cloud_of(const ContractServer& server) {
  auth::Cloud cloud = auth::Cloud::named("AzureCloud");
  cloud.arm = server.arm;
  cloud.authority = server.at("AZURE_AUTHORITY_HOST");
  return cloud;
}

// The status of a call with this token: 200 when it is good for the resource manager.
int status_with(const ContractServer& server, const Secret& token) {
  http::Request request{.tried = "t",
                        .url = server.arm + "/subscriptions/" + server.at("STANDIN_SUBSCRIPTION") +
                               "/resourceGroups/test-rg/providers/Microsoft.MachineLearningServices/"
                               "workspaces/test-ws?api-version=2024-04-01"};
  request.secret_headers.insert(http::bearer(token));
  return server.client().send(request).status;
}

}  // namespace

TEST_CASE("every credential gets a token that the service takes", "[cloud][auth]") {
  const auto server = ContractServer::start();
  if (!server) return;
  const Nobody nobody;
  const auth::Cloud cloud = cloud_of(*server);
  const auto token = [&] {
    auth::TokenCache cache(auth::default_credential(server->client(), cloud));
    const Secret secret = cache.get(cloud.arm_scope());
    CHECK(status_with(*server, secret) == 200);
    return cache.credential().name();
  };
  {
    const cloud::test::SignedIn identity(*server);
    CHECK(token() == "EnvironmentCredential");
    const ScopedEnv all("AZURE_TOKEN_CREDENTIALS", "prod");
    CHECK(token() == "EnvironmentCredential");
  }
  const ScopedEnv cli_free("PATH", "/nonexistent");
  {
    const Folder folder;
    const ScopedEnv tenant("AZURE_TENANT_ID", server->at("AZURE_TENANT_ID"));
    const ScopedEnv id("AZURE_CLIENT_ID", server->at("AZURE_CLIENT_ID"));
    // {"alg":"none"}.{"exp":9999999999}.x, and a file that rotates
    const fs::path file = folder.write("token", "eyJhbGciOiJub25lIn0.eyJleHAiOjk5OTk5OTk5OTl9.x\n");
    const ScopedEnv federated("AZURE_FEDERATED_TOKEN_FILE", file.string());
    CHECK(token() == "WorkloadIdentityCredential");
    folder.write("token", "eyJhbGciOiJub25lIn0.eyJleHAiOjF9.x");
    CHECK_THROWS_AS(token(), AuthenticationError);
  }
  {
    const ScopedEnv endpoint("MSI_ENDPOINT", server->at("STANDIN_MSI_ENDPOINT"));
    {
      const ScopedEnv secret("MSI_SECRET", server->at("STANDIN_MSI_SECRET"));
      CHECK(token() == "ManagedIdentityCredential");
      const ScopedEnv id("DEFAULT_IDENTITY_CLIENT_ID", "dddddddd-0000-4000-8000-00000000000d");
      CHECK(token() == "ManagedIdentityCredential");
      const ScopedEnv other("DEFAULT_IDENTITY_CLIENT_ID", "eeeeeeee-0000-4000-8000-00000000000e");
      CHECK_THROWS_AS(token(), AuthenticationError);
    }
    CHECK(token() == "ManagedIdentityCredential");  // Cloud Shell
  }
  {
    const ScopedEnv endpoint("IDENTITY_ENDPOINT", server->arm + "/identity/token");
    const ScopedEnv header("IDENTITY_HEADER", server->at("STANDIN_MSI_SECRET"));
    CHECK(token() == "ManagedIdentityCredential");
  }
  {
    const ScopedEnv host("AZURE_POD_IDENTITY_AUTHORITY_HOST", server->at("STANDIN_IMDS_HOST"));
    const ScopedEnv proxy("http_proxy", "http://127.0.0.1:1");  // never used for the metadata service
    const ScopedEnv no_proxy("no_proxy", {});
    auth::TokenCache cache(auth::default_credential(server->client(), cloud));
    CHECK_FALSE(cache.get(cloud.arm_scope()).empty());
    CHECK(cache.credential().name() == "ManagedIdentityCredential");
  }
  CHECK(server->complaints() == "");
}

TEST_CASE("a person signs in with a device code, once", "[cloud][auth]") {
  const auto server = ContractServer::start({"--expires-in", "60"});
  if (!server) return;
  const Nobody nobody;
  std::vector<std::string> shown;
  const auto credential = [&] {
    return std::make_shared<auth::DeviceCodeCredential>(
        server->client(), server->at("AZURE_AUTHORITY_HOST"),
        auth::DeviceCodeCredential::Options{.tenant = server->at("AZURE_TENANT_ID"),
                                            .client_id = server->at("AZURE_CLIENT_ID"),
                                            .prompt = [&](const std::string& text) { shown.push_back(text); }});
  };
  auth::TokenCache cache(credential());
  const Secret first = cache.get("https://management.azure.com/.default");
  CHECK(status_with(*server, first) == 200);
  REQUIRE(shown.size() == 1);
  CHECK(shown[0].find("STANDIN42") != std::string::npos);
  // A short life is used to its half; then, or when it is refused, it is renewed, and nobody is asked again.
  CHECK(cache.get("https://management.azure.com/.default") == first);
  const Secret second = cache.get("https://management.azure.com/.default", first);
  CHECK_FALSE(second == first);
  CHECK(shown.size() == 1);
  CHECK(server->complaints() == "");
  server->admin("POST", "option", {{"device_polls", 5}});
  auth::TokenCache declined(credential());
  std::thread person([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(1300));
    server->admin("POST", "device", {{"declined", true}});
  });
  CHECK_THROWS_AS(declined.get("https://management.azure.com/.default"), AuthenticationError);
  person.join();
}

TEST_CASE("az is asked without a shell", "[cloud][auth]") {
  const Nobody nobody;
  const Folder folder;
  const auto az = [&](const std::string& script) {
    folder.write("az", "#!/bin/sh\n" + script);
    fs::permissions(folder.path / "az", fs::perms::owner_all);
  };
  const ScopedEnv path("PATH", folder.path.string() + ":/usr/bin:/bin");
  const ScopedEnv choice("AZURE_TOKEN_CREDENTIALS", "azureclicredential");
  const http::Client client;
  const auto get = [&] {
    auth::TokenCache cache(auth::default_credential(client, auth::Cloud::named("AzureCloud")));
    return cache.get("https://management.azure.com/.default").reveal();
  };
  az("echo \"{\\\"accessToken\\\":\\\"$*\\\",\\\"expires_on\\\":4102444800,\\\"expiresOn\\\":\\\"2100-01-01 "
     "00:00:00.000000\\\"}\"\n");
  CHECK(get() == "account get-access-token --output json --scope https://management.azure.com/.default");
  az("echo '{\"accessToken\":\"old\",\"expiresOn\":\"2100-01-01 00:00:00.000000\"}'\n");
  CHECK(get() == "old");
  az("echo 'Please run az login to setup account.' >&2; exit 1\n");
  CHECK_THROWS_WITH(get(), Catch::Matchers::ContainsSubstring("not signed in"));
  az("echo 'AADSTS50076: more is needed' >&2; exit 1\n");
  CHECK_THROWS_WITH(get(), Catch::Matchers::ContainsSubstring("AADSTS50076"));
  az("echo nonsense\n");
  CHECK_THROWS_AS(get(), AuthenticationError);
  auth::TokenCache hostile(std::make_shared<auth::AzureCliCredential>("a;b"));
  CHECK_THROWS_AS(hostile.get("https://management.azure.com/.default"), ConfigError);
}

TEST_CASE("a refused credential ends the search, and its secret is not shown", "[cloud][auth]") {
  const auto server = ContractServer::start();
  if (!server) return;
  const Nobody nobody;
  const auth::Cloud cloud = cloud_of(*server);
  const cloud::test::SignedIn identity(*server);
  const ScopedEnv choice("AZURE_TOKEN_CREDENTIALS", {});
  const ScopedEnv wrong("AZURE_CLIENT_SECRET", "not~the+secret");
  auth::TokenCache cache(auth::default_credential(server->client(), cloud));
  server->scenario(
      {{{"method", "POST"},
        {"path", "/token$"},
        {"action",
         {{"type", "status"},
          {"status", 401},
          {"body", {{"error", "invalid_client"}, {"error_description", "the secret 'not~the+secret' is wrong"}}}}}}});
  try {
    cache.get(cloud.arm_scope());
    FAIL("it must be refused");
  } catch (const AuthenticationError& error) {
    CHECK(std::string(error.what()).find("not~the+secret") == std::string::npos);
    CHECK(std::string(error.what()).find("'***' is wrong") != std::string::npos);
    CHECK(error.code() == "invalid_client");
  }
  // A redirect of the request that holds the secret is not followed.
  server->scenario(
      {{{"method", "POST"}, {"path", "/token$"}, {"action", {{"type", "redirect"}, {"location", "{trap}/token"}}}}});
  CHECK_THROWS_AS(cache.get(cloud.arm_scope()), Error);
  for (const Json& request : server->requests("")) CHECK(json::text(request, {"area"}) != "trap");
  // Where nothing is set up, every way says why.
  const ScopedEnv no_secret("AZURE_CLIENT_SECRET", {});
  const ScopedEnv no_cli("PATH", "/nonexistent");
  try {
    auth::TokenCache(auth::default_credential(server->client(), cloud)).get(cloud.arm_scope());
    FAIL("nothing is set up");
  } catch (const AuthenticationError& error) {
    const std::string text = error.what();
    for (const char* part :
         {"EnvironmentCredential", "WorkloadIdentityCredential", "no metadata service", "az is not installed"}) {
      CHECK(text.find(part) != std::string::npos);
    }
  }
  const ScopedEnv strange("AZURE_TOKEN_CREDENTIALS", "abc");
  CHECK_THROWS_AS(auth::default_credential(server->client(), cloud), ConfigError);
  CHECK_THROWS_AS(auth::Entra(server->client(), "http://login.example.com", "t"), ConfigError);
  CHECK_THROWS_AS(auth::Entra(server->client(), "https://login.example.com", "t/../x"), ConfigError);
}

TEST_CASE("tokens are kept, renewed when refused, and fetched once for all threads", "[cloud][auth]") {
  const auto server = ContractServer::start();
  if (!server) return;
  const Nobody nobody;
  const cloud::test::SignedIn identity(*server);
  const auth::Cloud cloud = cloud_of(*server);
  auto cache = std::make_shared<auth::TokenCache>(auth::default_credential(server->client(), cloud));
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) threads.emplace_back([&] { cache->get(cloud.arm_scope()); });
  for (std::thread& thread : threads) thread.join();
  CHECK(server->requests("/token$").size() == 1);
  CHECK_FALSE(cache->get(auth::Cloud::storage_scope()) == cache->get(cloud.arm_scope()));
  CHECK(server->requests("/token$").size() == 2);
  const rest::Service service(server->client(), auth::TokenCache::source(cache, cloud.arm_scope()));
  const std::string url = server->arm + "/subscriptions/" + server->at("STANDIN_SUBSCRIPTION") +
                          "/resourceGroups/test-rg/providers/Microsoft.MachineLearningServices/workspaces/test-ws"
                          "?api-version=2024-04-01";
  CHECK(json::text(service.get("get workspace", url), {"name"}) == "test-ws");
  server->admin("POST", "expire-tokens");
  CHECK(json::text(service.get("get workspace", url), {"name"}) == "test-ws");
  CHECK(server->requests("/token$").size() == 3);
  server->scenario({{{"path", "/workspaces/"},
                     {"times", "always"},
                     {"action", {{"type", "status"}, {"status", 401}, {"body", nullptr}}}}});
  CHECK_THROWS_AS(service.get("get workspace", url), AuthenticationError);
  CHECK(server->requests("/token$").size() == 4);  // one new token, no more
  CHECK_THROWS_AS(service.get("t", "http://example.com/"), ConfigError);
  CHECK(server->complaints() == "");
}

TEST_CASE("lifetimes are numbers or text", "[cloud][auth]") {
  const auto token = [](const std::string& body, bool half = false) {
    return auth::token_of({.status = 200, .body = body}, half);
  };
  const Milliseconds now = now_ms();
  const auto in = [&](Milliseconds time, std::int64_t seconds) { return std::abs(time - now - seconds * 1000) < 3000; };
  CHECK(in(token(R"({"access_token":"a","expires_in":3599})").expires, 3599));
  CHECK(in(token(R"({"access_token":"a","expires_in":"3599"})").renew, 3479));
  CHECK(in(token(R"({"access_token":"a","expires_in":86400,"refresh_in":43200})").renew, 43200));
  CHECK(in(token(R"({"access_token":"a","expires_in":"86400"})", true).renew, 43200));
  CHECK(in(token(R"({"access_token":"a","expires_on":")" + std::to_string(now / 1000 + 100) + "\"}").expires, 100));
  CHECK_THROWS_AS(token("{}"), AuthenticationError);
  CHECK_THROWS_AS(token("<html>"), NetworkError);
}

TEST_CASE("clouds have their addresses", "[cloud][auth]") {
  CHECK(auth::Cloud::named("azurechinacloud").arm_scope() == "https://management.chinacloudapi.cn/.default");
  CHECK(auth::Cloud::named("AzureUSGovernment").authority == "https://login.microsoftonline.us");
  CHECK_THROWS_AS(auth::Cloud::named("Cloud9"), ConfigError);
  const ScopedEnv name("AZUREML_CURRENT_CLOUD", "AzureUSGovernment");
  const ScopedEnv arm("CLOUD_ARM_URL", "https://arm.example.com");
  const ScopedEnv authority("AZURE_AUTHORITY_HOST", {});
  const auth::Cloud cloud = auth::Cloud::from_environment();
  CHECK(cloud.arm == "https://arm.example.com");
  CHECK(cloud.arm_audience == "https://management.usgovcloudapi.net");
  CHECK(cloud.storage_suffix == "core.usgovcloudapi.net");
}
