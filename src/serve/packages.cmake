# By name only: ninja serve_bench.
add_executable(serve_bench EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/bench/serve_bench.cc)
target_link_libraries(serve_bench PRIVATE hone_serve)
