find_library(BOOST_JSON_LIBRARY boost_json REQUIRED)  # Boost 1.81: json.cc
target_link_libraries(hone_base PRIVATE ${BOOST_JSON_LIBRARY})
