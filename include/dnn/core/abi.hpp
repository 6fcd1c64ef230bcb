/// The configuration a translation unit is compiled in, and the inline namespace that names it.
///
/// Everything in `dnn` lives in `dnn::inline DNN_ABI`. Objects compiled in different configurations therefore have
/// different symbols, and linking them fails with a name that says why (`dnn::cpu_0::...`) instead of crashing.
#pragma once

#define DNN_VERSION_MAJOR 0
#define DNN_VERSION_MINOR 1
#define DNN_VERSION_PATCH 0
#define DNN_VERSION "0.1.0"

/// Marks functions that call virtual functions of graph nodes and serializers. To guess where such a call leads, GCC
/// would optimise every override that it sees, whether or not the program uses it: 1.3 s for a program that includes
/// everything.
#if defined(__GNUC__) && !defined(__clang__) && !defined(__CUDACC__)
#define DNN_NO_DEVIRTUALIZE [[gnu::optimize("no-devirtualize")]]
#else
#define DNN_NO_DEVIRTUALIZE
#endif

/// 1 under AddressSanitizer.
#if defined(__SANITIZE_ADDRESS__)
#define DNN_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define DNN_ADDRESS_SANITIZER 1
#endif
#endif
#ifndef DNN_ADDRESS_SANITIZER
#define DNN_ADDRESS_SANITIZER 0
#endif

/// `DNN_CUDA` is 1 where there are CUDA devices: real ones (nvcc), or emulated ones (`DNN_CUDA_ON_HOST`, any compiler),
/// where `DNN_EMULATED` is 1 too.
/// `DNN_HD` marks functions for host and device, `DNN_DEVICE` those for kernels alone, `DNN_KERNEL` the kernels.
#if defined(__CUDACC__)
#if !defined(__CUDACC_RELAXED_CONSTEXPR__)
#error "dnn: kernels call constexpr functions of the standard library; compile with nvcc --expt-relaxed-constexpr"
#endif
#if defined(DNN_USE_CUBLAS)
#define DNN_ABI cuda_cublas_0
#else
#define DNN_ABI cuda_0
#endif
#define DNN_CUDA 1
#define DNN_EMULATED 0
#define DNN_HD __host__ __device__
#define DNN_DEVICE __device__
#define DNN_KERNEL __global__
#elif defined(DNN_CUDA_ON_HOST)
#define DNN_ABI emulated_0
#define DNN_CUDA 1
#define DNN_EMULATED 1
#define DNN_HD
#define DNN_DEVICE
#define DNN_KERNEL
#else
#define DNN_ABI cpu_0
#define DNN_CUDA 0
#define DNN_EMULATED 0
#define DNN_HD
#endif
