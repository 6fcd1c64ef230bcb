// The one main of all test programs; compiled once.
#define CATCH_CONFIG_RUNNER
#include "catch.hpp"

// Under AddressSanitizer too, an allocation that cannot be is an error that is thrown, as the tests expect.
extern "C" const char* __asan_default_options() { return "allocator_may_return_null=1"; }

int main(int argc, char** argv) { return Catch::Session().run(argc, argv); }
