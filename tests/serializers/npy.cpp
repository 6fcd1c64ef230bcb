#include "dnn/serializers/npy.hpp"

#include "catch.hpp"
#include "dnn/array/compare.hpp"
#include "dnn/array/factories.hpp"

using namespace dnn;
using namespace dnn::serializers;
using Catch::Matchers::ContainsSubstring;

namespace {

/// An npy file with this header dictionary and these elements, as somebody else may write it.
std::string npy(std::string_view dictionary, std::string_view elements, int version = 1) {
  const auto digit = [&](int shift) { return static_cast<char>(dictionary.size() >> shift & 0xff); };
  std::string out = concat(std::string_view("\x93NUMPY"), static_cast<char>(version), '\0', digit(0), digit(8));
  if (version > 1) out += concat(digit(16), digit(24));
  return out.append(dictionary).append(elements);
}
std::string dictionary(std::string_view descr, std::string_view shape, bool fortran = false) {
  return concat("{'descr': '", descr, "', 'fortran_order': ", fortran ? "True" : "False", ", 'shape': ", shape,
                ", }\n");
}
Value parse(const std::string& file) {
  MemorySource source(std::as_bytes(std::span(file)), "test.npy");
  return read_npy(source);
}
Array parse_array(const std::string& file) { return std::get<Array>(parse(file)); }
Array parse_array(std::string_view descr, std::string_view shape, std::string_view elements, bool fortran = false) {
  return parse_array(npy(dictionary(descr, shape, fortran), elements));
}
std::string whole_file(const Array& array) {
  return npy_header(array).append(reinterpret_cast<const char*>(array.bytes()), array.nbytes());
}
bool same(const Array& a, const Array& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() &&
         (a.nbytes() == 0 || std::memcmp(a.bytes(), b.bytes(), a.nbytes()) == 0);
}
std::string bytes(std::initializer_list<int> values) {
  std::string out;
  for (const int value : values) out += static_cast<char>(value);
  return out;
}

}  // namespace

TEST_CASE("npy: what is written reads back, in every dtype and odd shapes", "[npy][host]") {
  for (const DType dtype :
       {DType::float32, DType::float64, DType::float16, DType::int32, DType::int64, DType::uint8, DType::boolean}) {
    for (const Shape& shape :
         {Shape{}, Shape{1}, Shape{7}, Shape{0}, Shape{3, 0, 2}, Shape{3, 5}, Shape{1, 2, 1, 3, 1, 2, 1, 2}}) {
      Array x = arange(shape.size()).to(dtype).reshape(shape);
      CHECK(same(parse_array(whole_file(x)), x));
    }
  }
}

TEST_CASE("npy: headers are NumPy 1.24's, byte for byte", "[npy][host]") {
  const std::string header = npy_header(zeros({2, 3}));
  CHECK(header.size() == 128);
  CHECK(header.substr(0, 10) == std::string("\x93NUMPY\1\0v\0", 10));
  CHECK(header.substr(10, 61) == "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }  ");
  CHECK(header.back() == '\n');
  CHECK_THAT(npy_header(zeros({3})), ContainsSubstring("'shape': (3,), }"));
  CHECK_THAT(npy_header(scalar(1.0)), ContainsSubstring("'descr': '<f8'") && ContainsSubstring("'shape': (), }"));
  CHECK_THAT(npy_header(zeros({1}, uint8)), ContainsSubstring("'|u1'"));
  CHECK_THAT(npy_header(zeros({1}, boolean)), ContainsSubstring("'|b1'"));
  CHECK_THAT(npy_header(zeros({1}, DType::float16)), ContainsSubstring("'<f2'"));
  CHECK_THAT(npy_header(zeros({1}, DType::bfloat16)), ContainsSubstring("'<f4'"));
  for (const std::int64_t size : {1LL, 1'000'000LL, 123'456'789'012LL}) {
    CHECK(npy_header(Array(Shape{size, 0})).size() % 64 == 0);
  }
}

TEST_CASE("npy: None is the 150 bytes that NumPy pickles", "[npy][host]") {
  const std::string file = npy_of_none();
  CHECK(file.size() == 128 + 150);
  CHECK_THAT(file, ContainsSubstring("'descr': '|O', 'fortran_order': False, 'shape': (), }"));
  const std::string pickle = file.substr(128);
  CHECK(pickle.substr(0, 11) == bytes({0x80, 0x03, 0x63, 0x6e, 0x75, 0x6d, 0x70, 0x79, 0x2e, 0x63, 0x6f}));
  CHECK(pickle.substr(139) == bytes({0x89, 0x5d, 0x71, 0x0c, 0x4e, 0x61, 0x74, 0x71, 0x0d, 0x62, 0x2e}));
  CHECK(std::holds_alternative<std::monostate>(parse(file)));
  CHECK_THROWS_WITH(parse(npy(dictionary("|O", "(2,)"), "")), ContainsSubstring("only None"));
}

TEST_CASE("npy: texts are UTF-32 inside and UTF-8 outside", "[npy][host]") {
  for (const std::string text :
       {"", "a", "[{\"main/loss\": 1.5}]", "h\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "two\nlines"}) {
    CHECK(std::get<std::string>(parse(npy_of_text(text))) == text);
  }
  CHECK_THAT(npy_of_text(""), ContainsSubstring("'<U1'"));
  CHECK(npy_of_text("h\xc3\xa9").substr(128) == bytes({'h', 0, 0, 0, 0xe9, 0, 0, 0}));
  CHECK(std::get<std::string>(parse(npy(dictionary(">U2", "()"), bytes({0, 0, 0, 'o', 0, 0, 0, 'k'})))) == "ok");
  CHECK(std::get<std::string>(parse(npy(dictionary("<U3", "()"), bytes({'a', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})))) ==
        "a");
  CHECK_THROWS_WITH(parse(npy(dictionary("<U1", "()"), bytes({0, 0xd8, 0, 0}))), ContainsSubstring("Unicode"));
  CHECK_THROWS_WITH(parse(npy(dictionary("<U1", "()"), bytes({0, 0, 0x11, 0}))), ContainsSubstring("Unicode"));
  CHECK_THROWS_WITH(parse(npy(dictionary("<U1", "(1,)"), bytes({'a', 0, 0, 0}))), ContainsSubstring("only of ()"));
  for (const std::string text : {"\x80", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff", "\xe2\x82"}) {
    CHECK_THROWS_AS(npy_of_text(text), SerializationError);
  }
}

TEST_CASE("npy: both byte orders and both element orders", "[npy][host]") {
  CHECK(same(parse_array(">i4", "(2,)", bytes({0, 0, 1, 2, 0xff, 0xff, 0xff, 0xfe})), array({258, -2})));
  CHECK(same(parse_array(">f8", "()", bytes({0x3f, 0xf8, 0, 0, 0, 0, 0, 0})), scalar(1.5)));
  CHECK(same(parse_array(">f2", "(1,)", bytes({0x3c, 0x00})), ones({1}, DType::float16)));
  CHECK(
      same(parse_array("|u1", "(2, 3)", bytes({1, 4, 2, 5, 3, 6}), true), array<std::uint8_t>({{1, 2, 3}, {4, 5, 6}})));
  CHECK(same(parse_array(">i2", "(2, 2)", bytes({0, 1, 0, 3, 0, 2, 0, 4}), true), array({{1, 2}, {3, 4}})));
  // (2, 1, 3): element [i, 0, k] lies at i + 2 k.
  CHECK(same(parse_array("|u1", "(2, 1, 3)", bytes({0, 10, 1, 11, 2, 12}), true),
             array<std::uint8_t>({{{0, 1, 2}}, {{10, 11, 12}}})));
  CHECK(parse_array("<f4", "(0, 3)", "", true).shape() == Shape{0, 3});
  CHECK(parse_array("<f4", "()", bytes({0, 0, 0x80, 0x3f}), true).item<float>() == 1.f);
}

TEST_CASE("npy: other widths become the next dtype that holds every value", "[npy][host]") {
  CHECK(same(parse_array("|i1", "(2,)", bytes({0xff, 0x7f})), array({-1, 127})));
  CHECK(same(parse_array("<i2", "(2,)", bytes({0xff, 0xff, 0xff, 0x7f})), array({-1, 32767})));
  CHECK(same(parse_array("<u2", "(2,)", bytes({0xff, 0xff, 1, 0})), array({65535, 1})));
  CHECK(same(parse_array("<u4", "(1,)", bytes({0xff, 0xff, 0xff, 0xff})), array<std::int64_t>({4294967295})));
  CHECK(
      same(parse_array("<u8", "(1,)", bytes({1, 0, 0, 0, 0, 0, 0, 0x7f})), array<std::int64_t>({0x7f00000000000001})));
  CHECK_THROWS_WITH(parse_array("<u8", "(1,)", bytes({0, 0, 0, 0, 0, 0, 0, 0x80})),
                    ContainsSubstring("int64 cannot hold"));
  CHECK(same(parse_array("|b1", "(3,)", bytes({0, 2, 255})), array({false, true, true})));
}

TEST_CASE("npy: versions 2 and 3, any spacing, order and quotes", "[npy][host]") {
  const Array expected = array<std::uint8_t>({1, 2});
  for (const int version : {1, 2, 3})
    CHECK(same(parse_array(npy(dictionary("|u1", "(2,)"), "\1\2", version)), expected));
  CHECK(same(parse_array(npy("{\"shape\":(2,),\"fortran_order\":False,\"descr\":\"|u1\"}", "\1\2")), expected));
  CHECK(same(parse_array(npy("  { 'shape' : ( 2L , ) , 'descr' : '|u1' , 'fortran_order' : False , }   \n", "\1\2")),
             expected));
}

TEST_CASE("npy: malformed files are named errors", "[npy][host]") {
  const auto rejected = [](const std::string& file, std::string_view reason) {
    CHECK_THROWS_AS(parse(file), FileError);
    CHECK_THROWS_WITH(parse(file), ContainsSubstring("test.npy") && ContainsSubstring(std::string(reason)));
  };
  rejected("", "ends too early");
  rejected("not an npy file", "magic number");
  rejected(npy(dictionary("<f4", "(2,)"), "12345678", 4), "version 4.0");
  rejected(npy("", ""), "'{' expected");
  rejected(npy("{'descr': '<f4', 'shape': (2,)}", "12345678"), "not all there");
  rejected(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'more': 1}", ""), "unknown key 'more'");
  rejected(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)} rest", ""), "after the dictionary");
  rejected(npy("{'descr': '<f4', 'fortran_order': Maybe, 'shape': (2,)}", ""), "True or False");
  rejected(npy("{'descr': '<f4", ""), "does not end");
  rejected(npy("{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (2,)}", ""), "structured");
  for (const std::string_view descr :
       {"<c8", "<f3", "<f16", "<f", "f4", "", "<M8[ns]", "|V2", "<i-4", "<U-1", "<f99999999999999999999"}) {
    rejected(npy(dictionary(descr, "(2,)"), "12345678"), concat("'", descr, "' is not supported"));
  }
  for (const std::string_view shape : {"2", "(2", "(a,)", "(2 3)", "(,)", "(99999999999999999999,)"}) {
    rejected(npy(dictionary("<f4", shape), "12345678"), "malformed");
  }
  rejected(npy(dictionary("<f4", "(-1,)"), ""), "negative");
  rejected(npy(dictionary("<f4", "(4294967296, 4294967296)"), ""), "64 bits");
  rejected(npy(dictionary("<f8", "(2305843009213693952,)"), ""), "does not fit");
  rejected(npy(dictionary("<f4", "(1, 1, 1, 1, 1, 1, 1, 1, 1)"), "1234"), "9 axes");
  rejected(npy(dictionary("<f4", "(2,)"), "1234567"), "does not fit the 7 bytes");
  rejected(npy(dictionary("<f4", "(2,)"), "123456789"), "does not fit the 9 bytes");
  rejected(npy(dictionary("<U4611686018427387904", "()"), ""), "does not fit");
  rejected(npy(dictionary("<U0", "()"), "1234"), "does not fit");
  rejected(concat(std::string_view("\x93NUMPY\2\0\xff\xff\xff\x7f", 12)), "too long");

  const std::string whole = whole_file(zeros({2, 3}));
  for (std::size_t size = 0; size < whole.size(); ++size) CHECK_THROWS_AS(parse(whole.substr(0, size)), FileError);
}
