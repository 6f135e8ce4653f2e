// The main function of the tests for Catch2 v2; v3 links its own (Catch2WithMain).
#define CATCH_CONFIG_MAIN
#include "tests/catch.hpp"
