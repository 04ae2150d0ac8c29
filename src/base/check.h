// KVSPLIT_CHECK: an invariant of our own code. Aborts with file and line; never used on external input.
#pragma once

#include <cstdio>
#include <cstdlib>

#define KVSPLIT_CHECK(cond)                                                                     \
    do {                                                                                        \
        if (!(cond)) [[unlikely]] {                                                             \
            std::fprintf(stderr, "%s:%d: invariant violated: %s\n", __FILE__, __LINE__, #cond); \
            std::abort();                                                                       \
        }                                                                                       \
    } while (0)
