find_library(SQLITE3_LIBRARY sqlite3 REQUIRED)  # SQLite 3.40: sqlite_*.cc, backup.cc
target_link_libraries(hone_store PRIVATE ${SQLITE3_LIBRARY})
