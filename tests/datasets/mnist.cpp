#include "dnn/datasets/mnist.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/datasets/concat_examples.hpp"

using namespace dnn;
using Catch::Matchers::ContainsSubstring;
using datasets::get_mnist;
using datasets::MnistOptions;

namespace {

/// The real files, if this machine has them.
std::optional<std::filesystem::path> real_mnist() {
  const char* root = std::getenv("DNN_DATASET_ROOT");
  for (const std::string below : {"", "mnist"}) {
    if (root &&
        datasets::detail::mnist_missing(datasets::detail::mnist_source, std::filesystem::path(root) / below).empty()) {
      return std::filesystem::path(root) / below;
    }
  }
  WARN("MNIST is not in $DNN_DATASET_ROOT: the checks against the real files do not run");
  return std::nullopt;
}

struct Environment {
  std::filesystem::path folder;
  std::optional<std::string> cache, root;
  Environment() {
    std::string pattern = (std::filesystem::temp_directory_path() / "dnn-mnist-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    folder = pattern;
    if (const char* value = std::getenv("XDG_CACHE_HOME")) cache = value;
    if (const char* value = std::getenv("DNN_DATASET_ROOT")) root = value;
    ::setenv("XDG_CACHE_HOME", (folder / "cache").c_str(), 1);
    ::unsetenv("DNN_DATASET_ROOT");
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  ~Environment() {
    std::filesystem::remove_all(folder);
    cache ? ::setenv("XDG_CACHE_HOME", cache->c_str(), 1) : ::unsetenv("XDG_CACHE_HOME");
    root ? ::setenv("DNN_DATASET_ROOT", root->c_str(), 1) : ::unsetenv("DNN_DATASET_ROOT");
  }
};

std::vector<std::uint8_t> idx_bytes(const std::vector<std::uint32_t>& sizes, std::uint8_t value) {
  std::vector<std::uint8_t> bytes = {0, 0, 8, static_cast<std::uint8_t>(sizes.size())};
  std::size_t count = 1;
  for (const auto size : sizes) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<std::uint8_t>(size >> shift));
    count *= size;
  }
  bytes.resize(bytes.size() + count, value);
  return bytes;
}
void write(const std::filesystem::path& path, const std::vector<std::uint8_t>& bytes) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}
/// A set of the right shape that is not MNIST.
void write_imitation(const std::filesystem::path& folder, std::uint8_t pixel, std::uint8_t label) {
  write(folder / "train-images-idx3-ubyte", idx_bytes({60000, 28, 28}, pixel));
  write(folder / "train-labels-idx1-ubyte", idx_bytes({60000}, label));
  write(folder / "t10k-images-idx3-ubyte", idx_bytes({10000, 28, 28}, pixel));
  write(folder / "t10k-labels-idx1-ubyte", idx_bytes({10000}, label));
}

}  // namespace

TEST_CASE("real MNIST: the first labels, shapes, dtypes and pixels that everybody knows", "[mnist]") {
  const auto folder = real_mnist();
  if (!folder) return;
  const auto [train, test] = get_mnist({.data = folder->string()});
  REQUIRE(train.size() == 60000);
  REQUIRE(test.size() == 10000);
  const std::int32_t first[] = {5, 0, 4, 1, 9, 2, 1, 3, 1, 4}, first_test[] = {7, 2, 1, 0, 4, 1, 4, 9, 5, 9};
  for (std::int64_t i = 0; i < 10; ++i) {
    CHECK(train[i][1].to("cpu").at<std::int32_t>() == first[i]);
    CHECK(test[i][1].to("cpu").at<std::int32_t>() == first_test[i]);
  }
  const auto example = train[0];
  REQUIRE(example.size() == 2);
  CHECK(example[0].shape() == Shape{784});
  CHECK(example[0].dtype() == float32);
  CHECK(example[1].shape() == Shape{});
  // Row 5 of the first image: 3 18 18 18 126 136 175 26 166 255 247 127 from column 12 on.
  CHECK(example[0].to("cpu").at<float>(5 * 28 + 11) == 0);
  CHECK(example[0].to("cpu").at<float>(5 * 28 + 12) == 3.f * static_cast<float>(1 / 255.));
  CHECK(example[0].to("cpu").at<float>(5 * 28 + 21) == 1);

  // The mean and deviation that are quoted everywhere: 0.1307 and 0.3081.
  std::vector<std::int64_t> all(60000);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int64_t>(i);
  const Array images = (*train.gather(all))[0];
  double sum = 0, squares = 0;
  for (const float v : images.span<float>()) {
    sum += v;
    squares += static_cast<double>(v) * v;
  }
  const double mean = sum / 47040000, deviation = std::sqrt(squares / 47040000 - mean * mean);
  CHECK(mean == Approx(0.1307).margin(5e-5));
  CHECK(deviation == Approx(0.3081).margin(5e-5));
}

TEST_CASE("real MNIST is found below $DNN_DATASET_ROOT and recognised when it is called Fashion-MNIST", "[mnist]") {
  const auto folder = real_mnist();
  if (!folder) return;
  const Environment environment;
  std::filesystem::create_directory_symlink(*folder, environment.folder / "mnist");
  std::filesystem::create_directory_symlink(*folder, environment.folder / "fashion-mnist");
  ::setenv("DNN_DATASET_ROOT", environment.folder.c_str(), 1);
  CHECK(get_mnist({.source = "mnist", .download = false}).train[0][1].item() == 5);
  ::setenv("DNN_DATASET_ROOT", (environment.folder / "mnist").c_str(), 1);
  CHECK(get_mnist({.source = "auto", .download = false}).train[0][1].item() == 5);
  ::setenv("DNN_DATASET_ROOT", environment.folder.c_str(), 1);
  CHECK_THROWS_WITH(datasets::get_fashion_mnist({.download = false}),
                    ContainsSubstring("this is MNIST, not Fashion-MNIST"));
}

TEST_CASE("one flipped bit in MNIST is noticed, in explicit folders and in the cache", "[mnist]") {
  const auto folder = real_mnist();
  if (!folder) return;
  const Environment environment;
  const auto copy = environment.folder / "cache" / "dnn" / "mnist";
  std::filesystem::create_directories(copy);
  for (const auto& file : datasets::detail::mnist_source.files) {
    const auto path = *datasets::detail::mnist_path(*folder, file.name);
    auto bytes = datasets::detail::read_file(path, 1 << 28);
    if (datasets::is_gzip(bytes)) bytes = datasets::gunzip(bytes, 1 << 28, "");
    if (file.name.starts_with("t10k-images")) bytes[5000] ^= 1;
    write(copy / std::string(file.name), bytes);
  }
  const std::string reason = "t10k-images-idx3-ubyte: contents are not those of MNIST";
  CHECK_THROWS_WITH(get_mnist({.data = copy.string()}), ContainsSubstring(reason));
  CHECK_THROWS_WITH(get_mnist({.download = false}), ContainsSubstring(reason));
}

TEST_CASE("a $DNN_DATASET_ROOT that is of no use is mentioned in one line", "[mnist]") {
  const Environment environment;
  const auto said = [&](const std::filesystem::path& root) {
    ::setenv("DNN_DATASET_ROOT", root.c_str(), 1);
    std::fflush(stderr);
    const auto log = environment.folder / "stderr";
    const int original = ::dup(STDERR_FILENO), file = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ::dup2(file, STDERR_FILENO);
    try {
      get_mnist({.source = "mnist", .download = false});
    } catch (const FileError&) {
    }
    ::dup2(original, STDERR_FILENO);
    ::close(original);
    ::close(file);
    std::ifstream in(log);
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  const auto missing = said(environment.folder / "nowhere");
  CHECK_THAT(missing, ContainsSubstring("nowhere is of no use for MNIST: there is no such folder"));
  CHECK(std::count(missing.begin(), missing.end(), '\n') == 1);
  std::filesystem::create_directory(environment.folder / "mnist");
  CHECK_THAT(said(environment.folder), ContainsSubstring("mnist lacks train-images-idx3-ubyte[.gz], "));
}

TEST_CASE("generated digits stand in for MNIST when it cannot be had", "[mnist]") {
  const Environment environment;
  const auto [train, test] = get_mnist({.download = false});
  CHECK(train.size() == 60000);
  CHECK(test.size() == 10000);
  const auto digits = datasets::generate_digits(3);
  for (std::int64_t i = 0; i < 3; ++i) CHECK(train[i][1].item() == digits.labels[static_cast<std::size_t>(i)]);
  CHECK_THROWS_WITH(get_mnist({.source = "mnist", .download = false}),
                    ContainsSubstring("MNIST is not on this machine"));
}

TEST_CASE("what was tried is told when nothing can be downloaded", "[mnist]") {
  const Environment environment;
  // Nobody listens on port 1.
  const MnistOptions options = {.source = "mnist", .mirrors = {"http://127.0.0.1:1/a/", "http://127.0.0.1:1/b"}};
  CHECK_THROWS_WITH(get_mnist(options),
                    ContainsSubstring("http://127.0.0.1:1/a/train-images-idx3-ubyte.gz: ") &&
                        ContainsSubstring("http://127.0.0.1:1/b/train-images-idx3-ubyte.gz: ") &&
                        ContainsSubstring((environment.folder / "cache" / "dnn" / "mnist").string()));
  CHECK(get_mnist({.mirrors = options.mirrors}).test.size() == 10000);
  CHECK(std::filesystem::is_empty(environment.folder / "cache" / "dnn" / "mnist"));
}

TEST_CASE("get_mnist's options shape the examples as Chainer's do", "[mnist]") {
  const auto pixels = datasets::generate_digits(1).images;
  const auto first = [](MnistOptions options) {
    options.source = "generated";
    return get_mnist(options).train[0];
  };
  // Each call draws 70,000 digits: as few calls as will do.
  const auto plain = first({})[0];
  CHECK(plain.shape() == Shape{784});
  CHECK(first({.ndim = 2, .rgb_format = true})[0].shape() == Shape{28, 28});
  const auto planar = first({.ndim = 3, .label_dtype = int64});
  CHECK(planar[0].shape() == Shape{1, 28, 28});
  CHECK(planar[1].dtype() == int64);
  const auto rgb = first({.ndim = 3, .rgb_format = true})[0];
  REQUIRE(rgb.shape() == Shape{3, 28, 28});
  CHECK(array_equal(rgb[0], rgb[1]));
  CHECK(array_equal(rgb[0], rgb[2]));
  CHECK(array_equal(rgb[0].reshape({784}), plain));

  const auto unlabelled = first({.withlabel = false, .scale = 255., .dtype = float64});
  CHECK(unlabelled.size() == 1);
  const auto wide = unlabelled[0];
  const auto half = first({.scale = 2., .dtype = DType::float16})[0];
  REQUIRE(half.dtype() == DType::float16);
  for (std::int64_t i = 0; i < 784; ++i) {
    CHECK(wide.to("cpu").at<double>(i) == pixels[static_cast<std::size_t>(i)]);
    CHECK(half.to(float32).to("cpu").at<float>(i) ==
          Approx(2. / 255 * pixels[static_cast<std::size_t>(i)]).margin(2e-3));
  }
  const auto dtype = using_dtype(float64);
  CHECK(first({})[0].dtype() == float64);
}

TEST_CASE("mistakes are named", "[mnist]") {
  const Environment environment;
  CHECK_THROWS_WITH(get_mnist({.ndim = 4}), ContainsSubstring("options.ndim <= 3 does not hold: 4 > 3"));
  CHECK_THROWS_WITH(get_mnist({.ndim = 0}), ContainsSubstring("[get_mnist]"));
  CHECK_THROWS_WITH(get_mnist({.source = "cifar"}),
                    ContainsSubstring("'cifar' is none of auto, mnist, fashion, generated"));
  CHECK_THROWS_WITH(get_mnist({.data = environment.folder.string()}),
                    ContainsSubstring("lacks train-images-idx3-ubyte[.gz], "));

  write_imitation(environment.folder, 7, 1);
  CHECK_THROWS_WITH(get_mnist({.data = environment.folder.string()}),
                    ContainsSubstring("contents are not those of MNIST"));
  // Digests of Fashion-MNIST's plain files are not known: its structure is checked.
  const auto [train, test] = datasets::get_fashion_mnist({.scale = 255., .data = environment.folder.string()});
  CHECK(train[-1][0].to("cpu").at<float>(783) == Approx(7));
  CHECK(test.size() == 10000);

  write(environment.folder / "train-labels-idx1-ubyte", idx_bytes({60000}, 10));
  CHECK_THROWS_WITH(datasets::get_fashion_mnist({.data = environment.folder.string()}),
                    ContainsSubstring("a label 10"));
  write(environment.folder / "train-labels-idx1-ubyte", idx_bytes({59999}, 1));
  CHECK_THROWS_WITH(datasets::get_fashion_mnist({.data = environment.folder.string()}),
                    ContainsSubstring("shape (59999,), but train-labels-idx1-ubyte of Fashion-MNIST has (60000,)"));
  write(environment.folder / "train-labels-idx1-ubyte", std::vector<std::uint8_t>{1, 2, 3, 4, 5});
  CHECK_THROWS_AS(datasets::get_fashion_mnist({.data = environment.folder.string()}), FileError);
}
