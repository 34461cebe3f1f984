# hone_embed(target symbol BASE folder [GZIP] [DEPENDS file…] [FILES file…])
# puts files into the program: target gets a source that defines
#   std::span<const hone::EmbeddedFile> hone::embedded::symbol()        (base/embedded_file.h)
# with the names relative to BASE, sorted, and the SHA-256 of each file. FILES are known when CMake
# configures; without them everything below BASE is taken when the build runs, again whenever a file
# of DEPENDS changes (the stamp of whatever fills the folder). GZIP keeps each file as gzip -9 where
# that is smaller; the digest stays that of the plain file.
function(hone_embed target symbol)
  cmake_parse_arguments(EMBED "GZIP" "BASE" "DEPENDS;FILES" ${ARGN})
  set(folder ${CMAKE_BINARY_DIR}/embedded)
  set(source ${folder}/${symbol}.cc)
  set(list ${folder}/${symbol}.files)
  string(REPLACE ";" "\n" lines "${EMBED_FILES}")
  file(CONFIGURE OUTPUT ${list} CONTENT "${lines}" @ONLY)  # rewritten only when it differs
  add_custom_command(OUTPUT ${source}
    COMMAND ${CMAKE_COMMAND} -DSYMBOL=${symbol} -DSOURCE=${source} -DBASE=${EMBED_BASE}
            -DGZIP=${EMBED_GZIP} -DLIST=${list} -P ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
    DEPENDS ${EMBED_FILES} ${EMBED_DEPENDS} ${list} ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
    COMMENT "Embedding ${symbol}" VERBATIM)
  target_sources(${target} PRIVATE ${source})
endfunction()
