# hone_rooms_included_by(out source): the rooms whose headers the source includes, itself or by a
# header beside it. A target links these alone, so that a change high up builds few of them again.
function(hone_rooms_included_by out source)
  set(rooms)
  get_filename_component(folder ${source} DIRECTORY)
  file(STRINGS ${source} includes REGEX "^#include \"")
  foreach(line ${includes})
    if(line MATCHES "^#include \"([a-z_]+)/")
      list(APPEND rooms ${CMAKE_MATCH_1})
    elseif(line MATCHES "^#include \"([a-z_]+\\.h)\"")
      hone_rooms_included_by(more ${folder}/${CMAKE_MATCH_1})
      list(APPEND rooms ${more})
    endif()
  endforeach()
  list(REMOVE_DUPLICATES rooms)
  set(${out} ${rooms} PARENT_SCOPE)
endfunction()

# hone_fuzz(name source): tests/fuzz/<name>_fuzz.cc as
#   with HONE_FUZZ     <name>_fuzz, a libFuzzer program (scripts/fuzz.sh runs it for minutes)
#   without            the same entry point over the corpus alone
# and, either way, the test fuzz_<name> that replays tests/fuzz/corpus/<name>: what was once found
# stays found, under every compiler and sanitiser.
function(hone_fuzz name source)
  add_executable(${name}_fuzz ${source})
  hone_rooms_included_by(rooms ${source})
  foreach(room ${rooms})
    target_link_libraries(${name}_fuzz PRIVATE hone_${room})
  endforeach()
  set(corpus ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${name})
  if(HONE_FUZZ)
    target_link_options(${name}_fuzz PRIVATE -fsanitize=fuzzer)
    add_test(NAME fuzz_${name} COMMAND ${name}_fuzz -runs=0 -timeout=10 ${corpus})
  else()
    target_sources(${name}_fuzz PRIVATE ${CMAKE_SOURCE_DIR}/tests/fuzz/replay_corpus.cc)
    add_test(NAME fuzz_${name} COMMAND ${name}_fuzz ${corpus})
  endif()
  add_dependencies(fuzz_targets ${name}_fuzz)
endfunction()
