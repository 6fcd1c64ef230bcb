#include "cloud/storage/blob.hpp"

#include <atomic>
#include <string>
#include <vector>

#include "catch.hpp"
#include "cloud/auth/chain.hpp"
#include "cloud/contract_server.hpp"
#include "cloud/core/parallel.hpp"

using namespace cloud;
using cloud::test::ContractServer;
using cloud::test::Folder;

namespace {

// A container of the stand-in, and a way to it.
struct Container {
  explicit Container(const ContractServer& server)
      : tokens(std::make_shared<auth::TokenCache>(
            std::make_shared<auth::EnvironmentCredential>(server.client(), server.at("AZURE_AUTHORITY_HOST")))),
        service(server.client(), auth::TokenCache::source(tokens, "https://management.azure.com/.default")),
        sas([this, url = server.arm + "/subscriptions/" + server.at("STANDIN_SUBSCRIPTION") + "/resourceGroups/" +
                         server.at("STANDIN_RESOURCE_GROUP") +
                         "/providers/Microsoft.MachineLearningServices/workspaces/" + server.at("STANDIN_WORKSPACE") +
                         "/codes/c/versions/1/startPendingUpload?api-version=2024-04-01"] {
          const Json reply =
              service.post("t", url, {{"pendingUploadType", "TemporaryBlobReference"}, {"pendingUploadId", "p"}}, true);
          return json::text(reply, {"blobReferenceForConsumption", "credential", "sasUri"});
        }) {}
  std::shared_ptr<auth::TokenCache> tokens;
  rest::Service service;
  storage::SasUrl sas;
};

std::string noise(std::size_t size) {
  std::string text(size, '\0');
  unsigned state = 12345;
  for (char& c : text) c = static_cast<char>((state = state * 1664525U + 1013904223U) >> 24);
  return text;
}

std::size_t files_in(const fs::path& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

}  // namespace

TEST_CASE("files of any size and name go up and come down as they were", "[cloud][storage]") {
  const auto server = ContractServer::start({"--list-blobs-max", "2"});
  if (!server) return;
  const cloud::test::SignedIn identity(*server);
  Container container(*server);
  const storage::BlobClient blobs(server->client(), {}, {.block_size = 1000, .single_upload = 2500, .parallel = 3});
  const Folder folder;
  std::vector<std::string> names;
  for (const std::size_t size : {0U, 1U, 2499U, 2500U, 2501U, 3000U, 10'001U}) {
    const std::string name = "f/" + std::to_string(size) + " & ä#%41?+=.bin";
    const std::string content = noise(size);
    const fs::path file = folder.write("in", content);
    std::atomic<std::uint64_t> moved{0};
    blobs.upload(container.sas, name, file, [&](std::uint64_t bytes) { moved += bytes; });
    CHECK(moved == size);
    blobs.download(container.sas, name, folder.path / "out" / "file");
    CHECK(read_file(folder.path / "out" / "file") == content);
    CHECK(files_in(folder.path / "out") == 1);
    names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  std::vector<std::string> listed;
  for (const storage::BlobProperties& blob : blobs.list("t", container.sas, "f/")) {
    listed.push_back(blob.name);
    CHECK(blob.name.find(std::to_string(blob.size)) != std::string::npos);
    CHECK_FALSE(blob.md5.empty());
  }
  CHECK(listed == names);
  CHECK(blobs.list("t", container.sas, "nothing").empty());
  CHECK_THROWS_AS(blobs.download(container.sas, "absent", folder.path / "x"), NotFoundError);
  CHECK_FALSE(fs::exists(folder.path / "x"));
  CHECK_THROWS_AS(blobs.upload(container.sas, "y", folder.path / "absent"), FileError);
  CHECK(server->complaints() == "");
}

TEST_CASE("a part is read without the rest", "[cloud][storage]") {
  const auto server = ContractServer::start();
  if (!server) return;
  const cloud::test::SignedIn identity(*server);
  Container container(*server);
  const storage::BlobClient blobs(server->client(), {});
  const Folder folder;
  blobs.upload(container.sas, "b", folder.write("in", "0123456789"));
  const auto read = [&](std::uint64_t offset, std::size_t count) {
    return blobs.read("t", container.sas, "b", offset, count);
  };
  CHECK(read(0, 4).bytes == "0123");
  CHECK(read(8, 100).bytes == "89");
  CHECK(read(8, 100).size == 10);
  CHECK(read(10, 100).bytes.empty());
  CHECK(read(10, 100).size == 10);
  CHECK(read(3, 0).bytes.empty());
  CHECK(blobs.read("t", container.sas, "absent", 0, 10).bytes.empty());
  server->scenario({{{"method", "GET"}, {"path", "/b$"}, {"action", {{"type", "truncate"}, {"bytes", 3}}}}});
  CHECK(read(2, 6).bytes == "234");  // what has come is kept; the next read goes on
  // A server that does not know ranges sends everything.
  server->scenario({{{"method", "GET"},
                     {"path", "/b$"},
                     {"action", {{"type", "status"}, {"status", 200}, {"body", "0123456789"}}}}});
  CHECK(read(2, 3).bytes == "234");
}

TEST_CASE("a download goes on where an earlier one ended, if the blob is the same", "[cloud][storage]") {
  const auto server = ContractServer::start();
  if (!server) return;
  const cloud::test::SignedIn identity(*server);
  Container container(*server);
  storage::BlobClient blobs(server->client(), {});
  const storage::BlobClient impatient(server->client(), {}, {.patience = 1});
  const Folder folder;
  const std::string content = noise(100'000);
  blobs.upload(container.sas, "b", folder.write("in", content));
  const Json cut{{"method", "GET"}, {"path", "/b$"}, {"action", {{"type", "drop"}, {"after_bytes", 60'000}}}};
  server->scenario({cut});
  fs::create_directories(folder.path / "out");
  CHECK_THROWS_AS(impatient.download(container.sas, "b", folder.path / "out/b"), NetworkError);
  CHECK(files_in(folder.path / "out") == 1);
  CHECK_FALSE(fs::exists(folder.path / "out/b"));
  const std::size_t before = server->requests("/b$").size();
  std::uint64_t moved = 0;
  blobs.download(container.sas, "b", folder.path / "out/b", [&](std::uint64_t bytes) { moved += bytes; });
  CHECK(read_file(folder.path / "out/b") == content);
  CHECK(files_in(folder.path / "out") == 1);
  CHECK(moved == content.size());
  std::int64_t fetched = 0;
  const Json log = server->requests("/b$");
  for (std::size_t i = before; i < log.size(); ++i) fetched += json::integer(log[i], {"response_bytes"});
  CHECK(fetched < 45'000);

  // Broken off again, and then replaced by another blob: nothing of the first is used.
  fs::remove(folder.path / "out/b");
  server->scenario({cut});
  CHECK_THROWS_AS(impatient.download(container.sas, "b", folder.path / "out/b"), NetworkError);
  const std::string other = noise(70'000) + "other";
  blobs.upload(container.sas, "b", folder.write("in", other));
  blobs.download(container.sas, "b", folder.path / "out/b");
  CHECK(read_file(folder.path / "out/b") == other);
  CHECK(server->complaints() == "");
}

TEST_CASE("what does not have its checksum is not kept", "[cloud][storage]") {
  const auto server = ContractServer::start();
  if (!server) return;
  const cloud::test::SignedIn identity(*server);
  Container container(*server);
  const storage::BlobClient blobs(server->client(), {});
  const Folder folder;
  blobs.upload(container.sas, "b", folder.write("in", noise(5000)));
  server->scenario({{{"method", "GET"}, {"path", "/b$"}, {"times", "always"}, {"action", {{"type", "corrupt"}}}}});
  fs::create_directories(folder.path / "out");
  CHECK_THROWS_WITH(blobs.download(container.sas, "b", folder.path / "out/b"),
                    Catch::Matchers::ContainsSubstring("checksum"));
  CHECK(files_in(folder.path / "out") == 0);
  server->scenario({{{"method", "GET"},
                     {"path", "/b$"},
                     {"action", {{"type", "truncate"}, {"bytes", 100}, {"fix_length", true}, {"strip_md5", false}}}}});
  blobs.download(container.sas, "b", folder.path / "out/b");
  CHECK(read_file(folder.path / "out/b") == noise(5000));
  // Damaged on the way up: the service notices, and it is sent again.
  server->scenario(
      {{{"method", "PUT"},
        {"path", "/c$"},
        {"action", {{"type", "status"}, {"status", 400}, {"headers", {{"x-ms-error-code", "Md5Mismatch"}}}}}}});
  blobs.upload(container.sas, "c", folder.path / "in");
  CHECK(blobs.list("t", container.sas, "c").size() == 1);
}

TEST_CASE("signatures stay private", "[cloud][storage]") {
  const storage::BlobClient blobs(http::Client(), {});
  storage::SasUrl open([] { return std::string("http://account.example.com/c?sig=secret"); });
  try {
    blobs.list("t", open, "");
    FAIL("it would be sent in the clear");
  } catch (const ConfigError& error) {
    CHECK(std::string(error.what()).find("secret") == std::string::npos);
  }
}

TEST_CASE("work on several threads stops at the first error", "[cloud][core]") {
  std::atomic<int> done{0};
  parallel_each(100, 7, [&](std::size_t) { ++done; });
  CHECK(done == 100);
  parallel_each(0, 4, [&](std::size_t) { ++done; });
  CHECK(done == 100);
  CHECK_THROWS_AS(parallel_each(1000, 4,
                                [&](std::size_t i) {
                                  if (i == 5) throw FileError("t", "m");
                                  std::this_thread::sleep_for(std::chrono::milliseconds(1));
                                  ++done;
                                }),
                  FileError);
  CHECK(done < 300);
}
