# Nobody reads the floating-point exception flags; without this GCC keeps branches in loops that
# would otherwise become SIMD. It changes no result.
target_compile_options(hone_quality PRIVATE -fno-trapping-math)
