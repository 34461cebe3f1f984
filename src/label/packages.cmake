file(GLOB organisation_migrations CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/migrations/sqlite/organisation/*.sql)
hone_embed(hone_label organisation_migrations
  BASE ${CMAKE_SOURCE_DIR}/migrations/sqlite/organisation
  FILES ${organisation_migrations})
file(GLOB control_migrations CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/migrations/sqlite/control/*.sql)
hone_embed(hone_label control_migrations
  BASE ${CMAKE_SOURCE_DIR}/migrations/sqlite/control
  FILES ${control_migrations})

# By name only: ninja label_bench.
add_executable(label_bench EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/bench/label_bench.cc)
target_link_libraries(label_bench PRIVATE hone_label)
