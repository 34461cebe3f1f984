find_library(HWY_LIBRARY hwy REQUIRED)  # Google Highway: dispatch at run time
target_link_libraries(hone_tensor PRIVATE ${HWY_LIBRARY})
# Without native fused multiply-add the bits would differ: not compiled, refused at the start.
target_compile_definitions(hone_tensor PRIVATE
  "HWY_DISABLED_TARGETS=(HWY_SSSE3|HWY_SSE4|HWY_AVX3_DL)")

foreach(bench matmul_bench attention_bench)
  add_executable(${bench} EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/bench/${bench}.cc)
  target_link_libraries(${bench} PRIVATE hone_tensor ${HWY_LIBRARY})
endforeach()
