find_package(yaml-cpp REQUIRED)  # --config FILE.yaml
target_link_libraries(hone_cli PRIVATE yaml-cpp)
