/// MNIST and Fashion-MNIST: found on this machine, downloaded, or, for MNIST, replaced by generated digits.
#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dnn/core/config.hpp"
#include "dnn/core/expect.hpp"
#include "dnn/datasets/download.hpp"
#include "dnn/datasets/generated_digits.hpp"
#include "dnn/datasets/gzip.hpp"
#include "dnn/datasets/idx.hpp"
#include "dnn/datasets/sha256.hpp"
#include "dnn/datasets/tuple_dataset.hpp"

namespace dnn::inline DNN_ABI::datasets {

struct MnistOptions {
  bool withlabel = true;                      ///< examples (image, label), or the image alone
  int ndim = 1;                               ///< image shape: 1 (784), 2 (28, 28), 3 (1, 28, 28)
  double scale = 1.0;                         ///< the value of a white pixel
  std::optional<DType> dtype = std::nullopt;  ///< of the images; config().dtype if not given
  DType label_dtype = int32;
  bool rgb_format = false;                ///< with ndim 3: the channel three times, (3, 28, 28)
  std::string data = {};                  ///< a folder that holds the files; nowhere else is then looked
  std::string source = "auto";            ///< "auto", "mnist", "fashion" or "generated"
  bool download = true;                   ///< may use the network
  std::vector<std::string> mirrors = {};  ///< base URLs to download from, instead of the well-known ones
  std::uint64_t seed = 0;                 ///< of generated digits
};

struct TrainTest {
  TupleDataset train, test;
};

namespace detail {

struct MnistFile {
  std::string_view name;
  std::string_view contents_sha256;  ///< of the decompressed file; empty if not known
  std::string_view gzip_sha256;      ///< of the .gz file that the mirrors have; empty if they differ in it
};

/// A data set in MNIST's format: images and labels of the training set, then of the test set.
struct MnistSource {
  std::string_view name, folder;
  std::array<std::string_view, 3> mirrors;
  std::array<MnistFile, 4> files;
};

inline constexpr MnistSource mnist_source{
    "MNIST",
    "mnist",
    {"https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/",
     "https://azureopendatastorage.blob.core.windows.net/mnist/"},
    {{{"train-images-idx3-ubyte", "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db", ""},
      {"train-labels-idx1-ubyte", "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5", ""},
      {"t10k-images-idx3-ubyte", "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7", ""},
      {"t10k-labels-idx1-ubyte", "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2", ""}}}};

/// The digests of the .gz files are those that other projects pin (TensorFlow Datasets among them).
inline constexpr MnistSource fashion_mnist_source{
    "Fashion-MNIST",
    "fashion-mnist",
    {"https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
     "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
     "https://fashion-mnist.s3.eu-central-1.amazonaws.com/"},
    {{{"train-images-idx3-ubyte", "", "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"},
      {"train-labels-idx1-ubyte", "", "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"},
      {"t10k-images-idx3-ubyte", "", "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"},
      {"t10k-labels-idx1-ubyte", "", "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"}}}};

inline constexpr std::size_t mnist_max_bytes = 48'000'000;  // the largest file has 47,040,016

inline std::vector<std::uint8_t> read_file(const std::filesystem::path& path, std::size_t max_bytes) {
  std::ifstream in(path, std::ios::binary);
  std::vector<std::uint8_t> bytes;
  std::error_code failed;
  const auto size = std::filesystem::file_size(path, failed);
  if (!in || failed) throw FileError("[dataset] ", path.string(), " cannot be read");
  if (size > max_bytes) throw FileError("[dataset] ", path.string(), ": ", size, " bytes are too many");
  bytes.resize(static_cast<std::size_t>(size));
  in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(size));
  if (!in) throw FileError("[dataset] ", path.string(), " cannot be read");
  return bytes;
}

/// The elements of one of the files, given its bytes, compressed or not; throws FileError unless they are what they
/// should be: by their digest where it is known, always by the number and range of the elements.
inline std::vector<std::uint8_t> mnist_contents(const MnistSource& source, std::size_t file,
                                                std::vector<std::uint8_t> bytes, const std::string& path) {
  const MnistFile& expected = source.files[file];
  const auto fail = [&](const auto&... reason) -> FileError { return FileError("[dataset] ", path, ": ", reason...); };
  if (is_gzip(bytes)) bytes = gunzip(bytes, mnist_max_bytes, path);
  const Idx idx = parse_idx(bytes, path);
  const std::int64_t count = file < 2 ? 60000 : 10000;
  const bool is_images = file % 2 == 0;
  const Shape shape = is_images ? Shape{count, 28, 28} : Shape{count};
  if (idx.shape != shape) throw fail("shape ", idx.shape, ", but ", expected.name, " of ", source.name, " has ", shape);
  if (!is_images) {
    for (const auto label : idx.data) {
      if (label > 9) throw fail("a label ", int{label});
    }
  }
  const std::string digest = sha256(bytes);
  if (!expected.contents_sha256.empty() && digest != expected.contents_sha256) {
    throw fail("contents are not those of ", source.name, ": SHA-256 is ", digest, ", not ", expected.contents_sha256);
  }
  if (&source != &mnist_source && digest == mnist_source.files[file].contents_sha256) {
    throw fail("this is MNIST, not ", source.name);
  }
  bytes.erase(bytes.begin(), bytes.begin() + (idx.data.data() - bytes.data()));
  return bytes;
}

/// `folder/name` or `folder/name.gz`, whichever is there.
inline std::optional<std::filesystem::path> mnist_path(const std::filesystem::path& folder, std::string_view name) {
  std::error_code ignored;
  for (const std::string_view suffix : {"", ".gz"}) {
    const auto path = folder / concat(name, suffix);
    if (std::filesystem::is_regular_file(path, ignored)) return path;
  }
  return std::nullopt;
}
inline std::string mnist_missing(const MnistSource& source, const std::filesystem::path& folder) {
  std::string missing;
  for (const auto& file : source.files) {
    if (!mnist_path(folder, file.name)) missing += concat(missing.empty() ? "" : ", ", file.name, "[.gz]");
  }
  return missing;
}

using MnistArrays = std::array<std::vector<std::uint8_t>, 4>;

inline MnistArrays read_mnist(const MnistSource& source, const std::filesystem::path& folder) {
  MnistArrays arrays;
  for (std::size_t i = 0; i < 4; ++i) {
    const auto path = mnist_path(folder, source.files[i].name);
    if (!path) throw FileError("[dataset] ", folder.string(), " lacks ", mnist_missing(source, folder));
    arrays[i] = mnist_contents(source, i, read_file(*path, mnist_max_bytes), path->string());
  }
  return arrays;
}

/// Fetches what the cache lacks. Throws FileError that lists what was tried.
inline void download_mnist(const MnistSource& source, const std::filesystem::path& cache,
                           std::vector<std::string> mirrors) {
  if (mirrors.empty()) mirrors.assign(source.mirrors.begin(), source.mirrors.end());
  for (std::size_t i = 0; i < 4; ++i) {
    const MnistFile& file = source.files[i];
    if (mnist_path(cache, file.name)) continue;
    std::vector<std::string> urls;
    for (const auto& mirror : mirrors)
      urls.push_back(concat(mirror, mirror.ends_with('/') ? "" : "/", file.name, ".gz"));
    const auto path = cache / concat(file.name, ".gz");
    download(urls, path,
             {.check =
                  [&](std::span<const std::uint8_t> bytes) {
                    const std::string digest = file.gzip_sha256.empty() ? "" : sha256(bytes);
                    if (digest != file.gzip_sha256) {
                      throw FileError("SHA-256 is ", digest, ", not ", file.gzip_sha256);
                    }
                    mnist_contents(source, i, {bytes.begin(), bytes.end()}, path.filename().string());
                  },
              .max_bytes = mnist_max_bytes});
  }
}

/// `$XDG_CACHE_HOME/dnn/NAME`, or the same below `~/.cache`.
inline std::filesystem::path cache_folder(std::string_view name) {
  const auto variable = [](const char* key) {
    const char* value = std::getenv(key);
    return std::filesystem::path(value ? value : "");
  };
  auto base = variable("XDG_CACHE_HOME");
  if (!base.is_absolute())
    base = (variable("HOME").empty() ? std::filesystem::path("/tmp") : variable("HOME")) / ".cache";
  return base / "dnn" / name;
}

inline MnistArrays generated_mnist(std::uint64_t seed) {
  auto train = generate_digits(60000, seed), test = generate_digits(10000, seed, 60000);
  return {std::move(train.images), std::move(train.labels), std::move(test.images), std::move(test.labels)};
}

/// The files from the first place that has them, or generated digits if nothing has and `replaceable`; see get_mnist.
inline MnistArrays find_mnist(const MnistSource& source, const MnistOptions& options, bool replaceable) {
  if (!options.data.empty()) return read_mnist(source, options.data);
  if (const char* root = std::getenv("DNN_DATASET_ROOT"); root && *root) {
    const std::filesystem::path folder = root;
    if (mnist_missing(source, folder / source.folder).empty()) return read_mnist(source, folder / source.folder);
    // The files of both data sets have the same names; a bare root is taken to hold MNIST.
    if (&source == &mnist_source && mnist_missing(source, folder).empty()) return read_mnist(source, folder);
    std::error_code ignored;
    const auto nearest =
        std::filesystem::is_directory(folder / source.folder, ignored) ? folder / source.folder : folder;
    const std::string reason = std::filesystem::is_directory(nearest, ignored)
                                   ? concat(nearest.string(), " lacks ", mnist_missing(source, nearest))
                                   : "there is no such folder";
    std::fprintf(stderr, "[dataset] DNN_DATASET_ROOT=%s is of no use for %s: %s; looking elsewhere\n", root,
                 std::string(source.name).c_str(), reason.c_str());
  }
  const auto cache = cache_folder(source.folder);
  if (mnist_missing(source, cache).empty()) {
    try {
      return read_mnist(source, cache);
    } catch (const FileError& error) {
      if (!options.download) throw;
      std::fprintf(stderr, "%s\nThe cached files are downloaded anew.\n", error.what());
      std::error_code ignored;
      for (const auto& file : source.files) {
        while (const auto path = mnist_path(cache, file.name)) {
          if (!std::filesystem::remove(*path, ignored)) throw;
        }
      }
    }
  }
  try {
    if (!options.download) throw FileError("[dataset] ", source.name, " is not on this machine");
    std::fprintf(stderr, "Downloading %s to %s\n", std::string(source.name).c_str(), cache.c_str());
    download_mnist(source, cache, options.mirrors);
  } catch (const FileError& error) {
    if (!replaceable) throw;
    std::fprintf(stderr, "%s\nMNIST cannot be had: generated digits take its place.\n", error.what());
    return generated_mnist(options.seed);
  }
  return read_mnist(source, cache);
}

inline Array mnist_images(std::span<const std::uint8_t> pixels, const MnistOptions& options) {
  const auto n = static_cast<std::int64_t>(pixels.size()) / 784;
  const bool rgb = options.rgb_format && options.ndim == 3;
  const Shape shape = options.ndim == 1   ? Shape{n, 784}
                      : options.ndim == 2 ? Shape{n, 28, 28}
                                          : Shape{n, rgb ? 3 : 1, 28, 28};
  Array images(shape, options.dtype.value_or(config().dtype), Device{});
  // There are but 256 values: scaled once, in the images' own dtype as NumPy does.
  visit_dtype(images.dtype(), [&]<class T>(std::type_identity<T>) {
    using Compute = std::conditional_t<std::is_same_v<T, double>, double, float>;
    std::array<T, 256> values;
    for (std::size_t i = 0; i < 256; ++i) {
      const auto factor =
          cast_scalar<Compute>(cast_scalar<std::conditional_t<std::is_integral_v<T>, float, T>>(options.scale / 255.));
      values[i] = cast_scalar<T>(static_cast<Compute>(i) * factor);
    }
    const std::size_t copies = rgb ? 3 : 1;
    T* out = images.data<T>();
    for (std::size_t image = 0; image < static_cast<std::size_t>(n); ++image) {
      for (std::size_t copy = 0; copy < copies; ++copy) {
        for (std::size_t i = 0; i < 784; ++i) *out++ = values[pixels[784 * image + i]];
      }
    }
  });
  return images;
}

inline TupleDataset mnist_dataset(std::vector<std::uint8_t>& pixels, const std::vector<std::uint8_t>& labels,
                                  const MnistOptions& options) {
  const UsingDevice host(Device{});  // minibatches go to the device, not the whole set
  const Array images = mnist_images(pixels, options);
  std::vector<std::uint8_t>().swap(pixels);  // a program that trains should not hold both forms
  if (!options.withlabel) return TupleDataset(images);
  return TupleDataset(images, array_from(labels).to(options.label_dtype));
}

inline TrainTest mnist_datasets(MnistArrays arrays, const MnistOptions& options) {
  // The larger one first: its bytes are gone before the other takes memory.
  auto train = mnist_dataset(arrays[0], arrays[1], options);
  return {std::move(train), mnist_dataset(arrays[2], arrays[3], options)};
}

}  // namespace detail

/// The handwritten digits: 60,000 examples to train with and 10,000 to test, `(image, label)`.
///
///     auto [train, test] = get_mnist({.ndim = 3});
///
/// Looked for, in this order: the folder `data`, and only there when it is given; `$DNN_DATASET_ROOT/mnist` or
/// `$DNN_DATASET_ROOT` itself; the cache `$XDG_CACHE_HOME/dnn/mnist` (`~/.cache/dnn/mnist`); the network, from where it
/// goes into the cache. The four IDX files may be compressed (.gz) or not. MNIST's contents are checked by SHA-256. A
/// `$DNN_DATASET_ROOT` without the files is mentioned on standard error.
///
/// When source is "auto" and MNIST is in none of these places, it says so on standard error and returns digits that it
/// draws itself (generated_digits.hpp). "generated" asks for those; "fashion" gives Fashion-MNIST (see below).
///
/// Images are `pixel * scale / 255`, float32 unless `dtype` or `config().dtype` says otherwise.
///
/// Throws FileError for files that are missing from `data`, damaged or not MNIST, or when a forced source cannot be
/// had; ArgumentError for an unknown source or an ndim other than 1, 2, 3.
inline TrainTest get_mnist(const MnistOptions& options = {}) {
  DNN_EXPECT("get_mnist", options.ndim >= 1);
  DNN_EXPECT("get_mnist", options.ndim <= 3);
  const auto& source = options.source;
  if (source != "auto" && source != "mnist" && source != "fashion" && source != "generated") {
    throw ArgumentError("[get_mnist] source '", source, "' is none of auto, mnist, fashion, generated");
  }
  if (source == "generated") return detail::mnist_datasets(detail::generated_mnist(options.seed), options);
  const auto& wanted = source == "fashion" ? detail::fashion_mnist_source : detail::mnist_source;
  return detail::mnist_datasets(detail::find_mnist(wanted, options, source == "auto"), options);
}

/// Fashion-MNIST: the same format and options, `source` aside. Looked for in `data`, `$DNN_DATASET_ROOT/fashion-mnist`,
/// the cache and the network; there is no replacement, FileError tells what was tried. Downloads are checked by the
/// SHA-256 of the .gz files, files that were there before by their structure (numbers of images and labels, labels
/// 0-9).
inline TrainTest get_fashion_mnist(MnistOptions options = {}) {
  options.source = "fashion";
  return get_mnist(options);
}

/// What Fashion-MNIST's labels 0 to 9 mean.
inline constexpr std::array<std::string_view, 10> fashion_mnist_labels = {
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"};

}  // namespace dnn::inline DNN_ABI::datasets
