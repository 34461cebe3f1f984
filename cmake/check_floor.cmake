# Includes go down. Fails when a file of ROOM includes a room that ALLOWED does not name.
cmake_policy(SET CMP0057 NEW)  # IN_LIST
string(REPLACE "," ";" allowed "${ALLOWED}")
file(GLOB_RECURSE files ${ROOM}/*.h ${ROOM}/*.cc)
foreach(file ${files})
  file(STRINGS ${file} includes REGEX "^#include \"")
  foreach(line ${includes})
    if(line MATCHES "^#include \"([a-z_]+)/")
      if(NOT CMAKE_MATCH_1 IN_LIST allowed AND NOT CMAKE_MATCH_1 MATCHES "^(hwy|gtest)$")
        message(FATAL_ERROR "${file}: ${line}\nThis room may include only: ${allowed}. "
          "If it needs something from above, take it as a parameter (house.md, rule 3).")
      endif()
    endif()
  endforeach()
endforeach()
