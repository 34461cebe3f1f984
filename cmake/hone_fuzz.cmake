# hone_fuzz(name source): tests/fuzz/<name>_fuzz.cc as
#   with HONE_FUZZ     <name>_fuzz, a libFuzzer program (scripts/fuzz.sh runs it for minutes)
#   without            the same entry point over the corpus alone
# and, either way, the test fuzz_<name> that replays tests/fuzz/corpus/<name>: what was once found
# stays found, under every compiler and sanitiser.
function(hone_fuzz name source)
  add_executable(${name}_fuzz ${source})
  foreach(room data tensor quality llm train eval seal base)
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
