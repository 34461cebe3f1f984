find_package(yaml-cpp REQUIRED)  # --config FILE.yaml
target_link_libraries(hone_cli PRIVATE yaml-cpp)
# The demo project's pairs go with the program.
file(GLOB demo_pairs ${CMAKE_SOURCE_DIR}/examples/quickstart/*.jsonl)
list(FILTER demo_pairs EXCLUDE REGEX "show\\.jsonl$")
hone_embed(hone_cli demo_pairs BASE ${CMAKE_SOURCE_DIR}/examples/quickstart FILES ${demo_pairs})
