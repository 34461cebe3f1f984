# The floor check refuses an include that goes up, names it, and passes one that goes down.
# cmake -DCHECK=cmake/check_floor.cmake -DFOLDER=(a folder to write in) -P floor_test.cmake
file(REMOVE_RECURSE ${FOLDER})
file(WRITE ${FOLDER}/good/score.cc
  "#include \"llm/score.h\"\n#include <vector>\n#include \"base/error.h\"\n#include \"hwy/highway.h\"\n")
file(WRITE ${FOLDER}/bad/score.cc "#include \"base/error.h\"\n")
file(WRITE ${FOLDER}/bad/deep/trick.h "#include \"train/dpo.h\"\n")

execute_process(COMMAND ${CMAKE_COMMAND} -DROOM=${FOLDER}/good -DALLOWED=llm,base -P ${CHECK}
  RESULT_VARIABLE status ERROR_VARIABLE message)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "an include that goes down was refused: ${message}")
endif()

execute_process(COMMAND ${CMAKE_COMMAND} -DROOM=${FOLDER}/bad -DALLOWED=llm,base -P ${CHECK}
  RESULT_VARIABLE status ERROR_VARIABLE message)
if(status EQUAL 0)
  message(FATAL_ERROR "an include that goes up passed")
endif()
foreach(expected "deep/trick.h" "train/dpo.h" "llm;base")
  string(FIND "${message}" "${expected}" at)
  if(at EQUAL -1)
    message(FATAL_ERROR "the message does not say ${expected}: ${message}")
  endif()
endforeach()
