#include "cloud/http/client.hpp"

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "cloud/contract_server.hpp"

using namespace cloud;
using namespace std::chrono_literals;
using cloud::test::ContractServer;
using cloud::test::Folder;

namespace {

// A path of the stand-in that takes any method and no token: what it answers does not matter, the faults do.
http::Request request_to(const ContractServer& server, const std::string& method = "GET") {
  return {.tried = "test", .method = method, .url = server.arm + "/discovery"};
}

Json rule(const Json& action, const Json& times = 1) {
  return {{"path", "^/discovery$"}, {"times", times}, {"action", action}};
}

}  // namespace

TEST_CASE("a reply is a value, whatever its status", "[cloud][http]") {
  const auto server = ContractServer::start();
  if (!server) return;
  const http::Client client = server->client();
  const http::Response good = client.send(request_to(*server));
  CHECK(good.ok());
  CHECK(good.attempts == 1);
  CHECK(good.headers.get("CONTENT-type").find("json") != std::string::npos);
  server->scenario({rule({{"type", "status"}, {"status", 404}, {"body", "nothing"}})});
  const http::Response missing = client.send(request_to(*server));
  CHECK(missing.status == 404);
  CHECK(missing.body == "nothing");
  CHECK(client.send({.tried = "t", .method = "HEAD", .url = server->arm + "/discovery"}).body.empty());
  const Json log = server->requests("discovery");
  CHECK(json::text(log[0], {"user_agent"}).find("dnn-cloud") == 0);
}

TEST_CASE("what is safe to repeat is repeated, as long after as the server says", "[cloud][http]") {
  const auto server = ContractServer::start();
  if (!server) return;
  const http::Client client = server->client();
  for (const int status : {408, 429, 500, 502, 503, 504}) {
    server->scenario({rule({{"type", "status"}, {"status", status}}, 2)});
    const http::Response response = client.send(request_to(*server));
    CHECK(response.ok());
    CHECK(response.attempts == 3);
  }
  for (const int status : {400, 401, 403, 404, 409, 412, 501}) {
    server->scenario({rule({{"type", "status"}, {"status", status}}, 2)});
    CHECK(client.send(request_to(*server)).status == status);
  }
  for (const char* header : {"Retry-After", "retry-after-ms", "x-ms-retry-after-ms"}) {
    const bool seconds = std::string(header) == "Retry-After";
    server->scenario({rule({{"type", "status"}, {"status", 503}, {"headers", {{header, seconds ? "1" : "400"}}}})});
    const auto begin = std::chrono::steady_clock::now();
    CHECK(client.send(request_to(*server)).ok());
    CHECK(std::chrono::steady_clock::now() - begin >= (seconds ? 1000ms : 400ms));
  }
  server->scenario({rule({{"type", "status"}, {"status", 503}, {"headers", {{"Retry-After", "{date+2}"}}}})});
  CHECK(client.send(request_to(*server)).ok());
  // A wait that nobody would sit through is the caller's to decide about.
  server->scenario({rule({{"type", "status"}, {"status", 503}, {"headers", {{"Retry-After", "86400"}}}})});
  CHECK(client.send(request_to(*server)).status == 503);
  server->admin("POST", "reset");
  server->scenario({rule({{"type", "drop"}}), rule({{"type", "truncate"}, {"bytes", 5}}),
                    rule({{"type", "drop"}, {"reset", true}})});
  CHECK(client.send(request_to(*server)).attempts >= 3);
  server->scenario({rule({{"type", "drop"}}, "always")});
  try {
    client.send(request_to(*server));
    FAIL("nobody answers");
  } catch (const NetworkError& error) {
    CHECK(error.details().attempts == 6);
    CHECK(std::string(error.what()).find("[test]") == 0);
  }
  CHECK(server->complaints() == "");
}

TEST_CASE("a date to wait for is one of the service's clock", "[cloud][http]") {
  http::Response response;
  response.headers.add("Date", "Wed, 01 May 2024 12:00:00 GMT");  // whatever this machine believes
  response.headers.add("Retry-After", "Wed, 01 May 2024 12:00:07 GMT");
  CHECK(http::Client::retry_after(response) == 7s);
  http::Response past;
  past.headers.add("Retry-After", "Wed, 01 May 2024 12:00:00 GMT");
  CHECK(http::Client::retry_after(past) == 0s);
}

TEST_CASE("a compressed reply is read, and bytes for a sink stay as they are", "[cloud][http]") {
  const cloud::test::Program program({"python3", "-c", R"(
import gzip, http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = gzip.compress(b'{"api": 1}')
        self.send_response(200)
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
)"});
  const std::string port = program.line();
  REQUIRE_FALSE(port.empty());
  const http::Client client;
  const std::string url = "http://127.0.0.1:" + port + "/";
  CHECK(client.send({.tried = "t", .url = url}).body == "{\"api\": 1}");
  std::string stored;
  client.send(
      {.tried = "t", .url = url, .sink = [&](const http::Response&, std::string_view more) { stored += more; }});
  CHECK(stored.substr(0, 2) == "\x1f\x8b");
}

TEST_CASE("a POST is sent once unless it is said to be repeatable", "[cloud][http]") {
  const auto server = ContractServer::start();
  if (!server) return;
  const http::Client client = server->client();
  client.send(request_to(*server));  // a connection to be kept
  const auto sent = [&] { return server->requests("discovery").size(); };
  std::size_t before = sent();
  for (const std::string body : {"", "x=1"}) {
    http::Request post = request_to(*server, "POST");
    post.body = body;
    server->scenario({rule({{"type", "drop"}, {"execute", true}}, "always")});
    CHECK_THROWS_AS(client.send(post), NetworkError);
    CHECK(sent() == ++before);
    server->scenario({rule({{"type", "status"}, {"status", 503}})});
    CHECK(client.send(post).status == 503);
    CHECK(sent() == ++before);
    server->scenario({rule({{"type", "status"}, {"status", 429}})});  // refused, so not carried out
    CHECK(client.send(post).status != 429);
    CHECK(sent() == (before += 2));
    post.repeatable = true;
    server->scenario({rule({{"type", "status"}, {"status", 503}})});
    CHECK(client.send(post).status != 503);
    CHECK(sent() == (before += 2));
  }
  http::Request nowhere{.tried = "t", .method = "POST", .url = "http://127.0.0.1:1/"};  // nothing was sent: safe
  try {
    client.send(nowhere);
    FAIL("nobody listens");
  } catch (const NetworkError& error) {
    CHECK(error.details().attempts == 6);
  }
}

TEST_CASE("a sink gets the bytes of a success once, in order", "[cloud][http]") {
  const auto server = ContractServer::start();
  if (!server) return;
  const http::Client client = server->client();
  const std::string whole = client.send(request_to(*server)).body;
  std::string got;
  http::Request request = request_to(*server);
  request.sink = [&](const http::Response& head, std::string_view bytes) {
    CHECK(head.status == 200);
    CHECK(head.headers.has("Content-Type"));
    got += bytes;
  };
  server->scenario({rule({{"type", "status"}, {"status", 500}, {"body", "not for the sink"}}),
                    rule({{"type", "dribble"}, {"chunk", 7}})});
  CHECK(client.send(request).body.empty());
  CHECK(got == whole);
  got.clear();
  server->scenario({rule({{"type", "truncate"}, {"bytes", 20}})});
  CHECK_THROWS_AS(client.send(request), NetworkError);  // never twice from the start
  CHECK(got == whole.substr(0, 20));
  request.sink = [](const http::Response&, std::string_view) { throw FileError("write", "the disk is full"); };
  CHECK_THROWS_AS(client.send(request), FileError);
  server->scenario({rule({{"type", "chunked"}})});
  CHECK(client.send(request_to(*server)).body == whole);
}

TEST_CASE("a reply larger than allowed is refused", "[cloud][http]") {
  const auto server = ContractServer::start();
  if (!server) return;
  http::ClientOptions options = server->client_options();
  options.max_body = 30;
  CHECK_THROWS_WITH(http::Client(options).send(request_to(*server)),
                    Catch::Matchers::ContainsSubstring("larger than 30 B"));
}

TEST_CASE("redirects never carry a credential or a body to another host", "[cloud][http]") {
  const auto server = ContractServer::start();
  if (!server) return;
  const http::Client client = server->client();
  http::Request request = request_to(*server);
  request.secret_headers.insert(http::bearer(Secret("top-secret-token")));
  server->scenario({rule({{"type", "redirect"}, {"location", "{trap}/elsewhere"}}, "always")});
  CHECK(client.send(request).status == 307);  // stays at home by default
  request.redirect_anywhere = true;
  const http::Response away = client.send(request);
  CHECK(away.status == 200);
  CHECK(away.body.find("trap") != std::string::npos);
  for (const char* method : {"POST", "PUT", "DELETE"}) {
    http::Request write = request;
    write.method = method;
    if (write.method != "DELETE") write.body = "secret=1";
    CHECK(client.send(write).status == 307);
  }
  CHECK(server->requests("elsewhere").size() == 1);
  server->scenario({rule({{"type", "redirect"}, {"status", 302}, {"location", "/discovery?second"}})});
  const http::Response home = client.send(request);
  CHECK(home.status == 200);
  CHECK(home.url.ends_with("/discovery?second"));
  const Json log = server->requests("discovery");
  CHECK(json::text(log.back(), {"token"}) == "unknown");  // it was sent along
  http::Request put = request_to(*server, "PUT");
  put.body = "x";
  server->scenario({rule({{"type", "redirect"}, {"status", 302}, {"location", "/discovery?put"}})});
  CHECK(client.send(put).status == 302);  // a PUT never becomes a GET
  server->scenario({rule({{"type", "redirect"}, {"location", "/discovery"}}, "always")});
  CHECK(client.send(request).status == 307);  // in a circle
  for (const char* location : {"file:///etc/passwd", "gopher://x/", "http://user:password@127.0.0.1/", ""}) {
    server->scenario({rule({{"type", "redirect"}, {"location", location}})});
    CHECK(client.send(request).status == 307);
  }
  CHECK(server->complaints() == "");
}

TEST_CASE("a request ends when nothing moves, and when the caller gives up", "[cloud][http]") {
  const auto server = ContractServer::start();
  if (!server) return;
  http::ClientOptions options = server->client_options();
  options.stall_timeout = 1s;
  options.backoff.max_attempts = 1;
  server->scenario({rule({{"type", "stall"}, {"ms", 20000}}, "always")});
  auto begin = std::chrono::steady_clock::now();
  CHECK_THROWS_AS(http::Client(options).send(request_to(*server)), NetworkError);
  CHECK(std::chrono::steady_clock::now() - begin < 10s);
  begin = std::chrono::steady_clock::now();
  CancelToken cancel;
  std::thread waker([&] {
    std::this_thread::sleep_for(200ms);
    cancel.cancel();
  });
  CHECK_THROWS_AS(server->client().send(request_to(*server), cancel), CanceledError);
  waker.join();
  CHECK(std::chrono::steady_clock::now() - begin < 10s);
  CHECK_THROWS_AS(server->client().send(request_to(*server), cancel), CanceledError);
}

TEST_CASE("bodies come from memory and from parts of files", "[cloud][http]") {
  const auto server = ContractServer::start();
  if (!server) return;
  const http::Client client = server->client();
  const Folder folder;
  const fs::path file = folder.write("body", "{\"page_size\": 7} and more");
  http::Request request{.tried = "t", .method = "POST", .url = server->arm + "/__admin/option"};
  request.file = http::FileRange{file, 0, 16};
  CHECK(client.send(request).ok());
  request.file = http::FileRange{file, 20, 100};
  CHECK_THROWS_AS(client.send(request), FileError);
  request.file = http::FileRange{folder.path / "absent", 0, 1};
  CHECK_THROWS_AS(client.send(request), FileError);
  CHECK_THROWS_AS(client.send({.tried = "t", .url = "ftp://127.0.0.1/"}), ConfigError);
  CHECK_THROWS_AS(client.send({.tried = "t", .url = "no url"}), ConfigError);
  CHECK_THROWS_AS(client.send({.tried = "t", .url = server->arm, .headers = {{"A", "b\r\nC: d"}}}), ConfigError);
}

TEST_CASE("several threads share a client", "[cloud][http]") {
  const auto server = ContractServer::start();
  if (!server) return;
  const http::Client client = server->client();
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 20; ++k) good += client.send(request_to(*server)).ok() ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(good == 160);
}

TEST_CASE("certificates are always checked", "[cloud][http]") {
  const Folder keys;
  if (!cloud::test::make_certificate(keys.path)) {
    WARN("skipped: the program openssl made no certificate");
    return;
  }
  const auto server =
      ContractServer::start({"--tls", (keys.path / "cert.pem").string(), (keys.path / "key.pem").string()});
  if (!server) return;
  CHECK(server->client().send(request_to(*server)).ok());
  http::ClientOptions options = server->client_options();
  options.ca_file = "";
  try {
    http::Client(options).send(request_to(*server));
    FAIL("nobody knows this authority");
  } catch (const NetworkError& error) {
    CHECK(std::string(error.what()).find("not trusted") != std::string::npos);
    CHECK(error.details().attempts == 1);
  }
  {
    const cloud::test::ScopedEnv file("CLOUD_CA_FILE", server->ca_file);
    CHECK(http::Client(options).send(request_to(*server)).ok());
  }
  options.ca_file = (keys.path / "absent.pem").string();
  CHECK_THROWS_AS(http::Client(options).send(request_to(*server)), ConfigError);
  // The certificate is for 127.0.0.1 and localhost, not for another name of this machine.
  http::Request other = request_to(*server);
  other.url.replace(other.url.find("127.0.0.1"), 9, "127.0.0.2");
  CHECK_THROWS_AS(server->client().send(other), NetworkError);
}
