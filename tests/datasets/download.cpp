#include "dnn/datasets/download.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <fstream>
#include <mutex>
#include <thread>

#include "catch.hpp"

using namespace dnn;
using Catch::Matchers::ContainsSubstring;
using datasets::download;

namespace {

/// The file that the mirrors have: 300,000 bytes that never repeat a block.
const std::string& contents() {
  static const std::string bytes = [] {
    std::string text;
    for (int i = 0; text.size() < 300'000; ++i) text += std::to_string(i * 7919);
    return text.substr(0, 300'000);
  }();
  return bytes;
}

/// An HTTP server on 127.0.0.1. What it does depends on the path:
///   /good      serves the file, ranges too     /plain    ignores ranges     /wrong   serves something else
///   /broken    sends half of what it promises  /endless  more than allowed  /stalls  sends a little, then nothing
///   /redirect  leads to /good                  others    404
class Server {
 public:
  Server() {
    listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    REQUIRE(::bind(listener_, reinterpret_cast<sockaddr*>(&address), length) == 0);
    REQUIRE(::listen(listener_, 16) == 0);
    REQUIRE(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server() {
    stop_ = true;
    thread_.join();
    ::close(listener_);
  }

  std::string url(const std::string& path) const { return "http://127.0.0.1:" + std::to_string(port_) + "/" + path; }
  /// `path` or `path @offset` for each request so far.
  std::vector<std::string> requests() {
    std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  void serve() {
    while (!stop_) {
      pollfd waiting{listener_, POLLIN, 0};
      if (::poll(&waiting, 1, 20) <= 0) continue;
      const int client = ::accept(listener_, nullptr, nullptr);
      if (client < 0) continue;
      answer(client);
      ::close(client);
    }
  }
  static void send(int client, const std::string& text) {
    for (std::size_t sent = 0; sent < text.size();) {
      const auto n = ::send(client, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) return;
      sent += static_cast<std::size_t>(n);
    }
  }
  static std::string head(const std::string& status, std::size_t length, const std::string& more = "") {
    return "HTTP/1.1 " + status + "\r\nConnection: close\r\nContent-Length: " + std::to_string(length) + "\r\n" + more +
           "\r\n";
  }

  void answer(int client) {
    std::string request;
    char buffer[4096];
    while (request.find("\r\n\r\n") == std::string::npos) {
      const auto n = ::recv(client, buffer, sizeof buffer, 0);
      if (n <= 0) return;
      request.append(buffer, static_cast<std::size_t>(n));
    }
    const std::string path = request.substr(5, request.find(' ', 5) - 5);
    const auto range = request.find("Range: bytes=");
    const std::size_t offset = range == std::string::npos ? 0 : std::stoul(request.substr(range + 13));
    {
      std::lock_guard lock(mutex_);
      requests_.push_back(path + (offset ? " @" + std::to_string(offset) : ""));
    }
    const std::string& all = contents();
    if (path == "good" && offset >= all.size()) {
      send(client, head("416 Range Not Satisfiable", 0));
    } else if (path == "good" && offset > 0) {
      const auto span = "Content-Range: bytes " + std::to_string(offset) + "-" + std::to_string(all.size() - 1) + "/" +
                        std::to_string(all.size()) + "\r\n";
      send(client, head("206 Partial Content", all.size() - offset, span) + all.substr(offset));
    } else if (path == "good" || path == "plain") {
      send(client, head("200 OK", all.size()) + all);
    } else if (path == "wrong") {
      send(client, head("200 OK", 5) + "wrong");
    } else if (path == "broken") {
      send(client, head(offset ? "206 Partial Content" : "200 OK", all.size() - offset) +
                       all.substr(offset, (all.size() - offset) / 2));
    } else if (path == "endless") {
      send(client, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + all + all + all);
    } else if (path == "stalls") {
      send(client, head("200 OK", all.size()) + all.substr(0, 1000));
      while (!stop_ && ::recv(client, buffer, sizeof buffer, MSG_DONTWAIT) != 0) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
      }
    } else if (path == "redirect") {
      send(client, head("302 Found", 0, "Location: /good\r\n"));
    } else if (path == "to-file") {
      send(client, head("302 Found", 0, "Location: file:///etc/hostname\r\n"));
    } else {
      send(client, head("404 Not Found", 0));
    }
  }

  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::vector<std::string> requests_;
  std::thread thread_;
};

struct Folder {
  std::filesystem::path path;
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "dnn-download-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path = pattern;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path); }
};

std::string read(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void write(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

const datasets::DownloadOptions checked = {.check =
                                               [](std::span<const std::uint8_t> bytes) {
                                                 if (std::string(bytes.begin(), bytes.end()) != contents())
                                                   throw FileError("not the file that was expected");
                                               },
                                           .stall_timeout_s = 1};

struct Fixture {
  Server server;
  Folder folder;
  std::filesystem::path target = folder.path / "sub" / "file.gz", part = folder.path / "sub" / "file.gz.part";

  void fetch(std::initializer_list<std::string> paths, const datasets::DownloadOptions& options = checked) {
    std::vector<std::string> urls;
    for (const auto& path : paths) urls.push_back(server.url(path));
    download(urls, target, options);
  }
  std::string failure(std::initializer_list<std::string> paths, const datasets::DownloadOptions& options = checked) {
    try {
      fetch(paths, options);
    } catch (const FileError& error) {
      return error.what();
    }
    return "did not fail";
  }
};

using Requests = std::vector<std::string>;

}  // namespace

TEST_CASE_METHOD(Fixture, "a file is downloaded under its name and only once", "[download]") {
  fetch({"good"});
  CHECK(read(target) == contents());
  CHECK_FALSE(std::filesystem::exists(part));
  fetch({"good"});
  CHECK(server.requests() == Requests{"good"});
}

TEST_CASE_METHOD(Fixture, "mirrors are tried in order", "[download]") {
  fetch({"missing", "wrong", "good", "plain"});
  CHECK(read(target) == contents());
  CHECK(server.requests() == Requests{"missing", "wrong", "good"});
}

TEST_CASE_METHOD(Fixture, "redirects are followed, but not to files", "[download]") {
  CHECK_THAT(failure({"to-file"}), ContainsSubstring("to-file: "));
  fetch({"redirect"});
  CHECK(read(target) == contents());
}

TEST_CASE_METHOD(Fixture, "a part that an earlier program left is continued", "[download]") {
  write(part, contents().substr(0, 123'456));
  fetch({"good"});
  CHECK(read(target) == contents());
  CHECK(server.requests() == Requests{"good @123456"});
}

TEST_CASE_METHOD(Fixture, "a complete part only needs its name", "[download]") {
  write(part, contents());
  fetch({"good"});
  CHECK(read(target) == contents());
  CHECK(server.requests() == Requests{"good @300000"});
}

TEST_CASE_METHOD(Fixture, "a server that ignores ranges is taken from the start", "[download]") {
  write(part, contents().substr(0, 1000));
  fetch({"plain"});
  CHECK(read(target) == contents());
}

TEST_CASE_METHOD(Fixture, "a part of another file is dropped after the whole has been checked", "[download]") {
  write(part, std::string(5000, 'x'));
  fetch({"good"});
  CHECK(read(target) == contents());
  CHECK(server.requests() == Requests{"good @5000", "good"});
}

TEST_CASE_METHOD(Fixture, "a connection that breaks is taken up again, by the next mirror in the end", "[download]") {
  fetch({"broken", "good"});
  CHECK(read(target) == contents());
  CHECK(server.requests() == Requests{"broken", "broken @150000", "broken @225000", "good @262500"});
}

TEST_CASE_METHOD(Fixture, "what fails leaves no file, keeps the part, and says what was tried", "[download]") {
  const auto text = failure({"broken", "missing"});
  CHECK_FALSE(std::filesystem::exists(target));
  CHECK(std::filesystem::file_size(part) > 200'000);
  CHECK(contents().starts_with(read(part)));
  CHECK_THAT(text, ContainsSubstring(target.string()));
  CHECK_THAT(text, ContainsSubstring(server.url("broken")));
  CHECK_THAT(text, ContainsSubstring(server.url("missing") + ": "));
  CHECK_THAT(text, ContainsSubstring("404"));
}

TEST_CASE_METHOD(Fixture, "a file that fails its check is never kept", "[download]") {
  CHECK_THAT(failure({"wrong"}), ContainsSubstring("not the file that was expected"));
  CHECK_FALSE(std::filesystem::exists(target));
  CHECK_FALSE(std::filesystem::exists(part));
}

TEST_CASE_METHOD(Fixture, "more bytes than allowed are refused", "[download]") {
  auto options = checked;
  options.max_bytes = 400'000;
  CHECK_THAT(failure({"endless"}, options), ContainsSubstring("more than 400000 bytes"));
  CHECK_FALSE(std::filesystem::exists(target));
}

TEST_CASE_METHOD(Fixture, "a mirror that falls silent is given up", "[download]") {
  const auto text = failure({"stalls"});
  CHECK_THAT(text, ContainsSubstring("stalls: "));
  CHECK_FALSE(std::filesystem::exists(target));
}

TEST_CASE_METHOD(Fixture, "only http and https", "[download]") {
  for (const std::string url : {"file:///etc/hostname", "ftp://127.0.0.1/x", "no url"}) {
    CHECK_THROWS_WITH(download(std::vector{url}, target, checked), ContainsSubstring("not an https:// address"));
  }
  CHECK_THROWS_AS(download({}, target, checked), FileError);
  CHECK_FALSE(std::filesystem::exists(target));
}

TEST_CASE_METHOD(Fixture, "two downloads of one file do not disturb each other", "[download]") {
  std::thread other([&] { fetch({"good"}); });
  fetch({"good"});
  other.join();
  CHECK(read(target) == contents());
  CHECK(server.requests().size() == 1);
}
