#pragma once
// HONE_WIDE before a function compiles its loops once more for each wider register; the program takes
// the widest at start. Every lane does the same IEEE operations (-ffp-contract=off), so the bits do
// not depend on it. Sanitisers cannot run the resolver, Clang 14 has no clones for C++: one version.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define HONE_WIDE __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define HONE_WIDE
#endif
