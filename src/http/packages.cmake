find_path(BOOST_INCLUDE boost/beast/http/basic_parser.hpp REQUIRED)  # Boost 1.81: message_parser.cc
find_package(OpenSSL REQUIRED)                                       # TLS: tls.cc, nothing else
target_include_directories(hone_http SYSTEM PRIVATE ${BOOST_INCLUDE})
target_link_libraries(hone_http PRIVATE OpenSSL::SSL)

add_executable(http_bench EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/bench/http_bench.cc)
target_link_libraries(http_bench PRIVATE hone_http)
