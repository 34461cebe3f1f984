# hone_room(name [rooms it may include...]) makes of the folder src/<name>
#   hone_<name>        a static library of every *.cc that is not a test, a benchmark or a *_library.cc
#                      (a shared library of its own, made in packages.cmake)
#   <name>_test        one test binary of every *_test.cc (absent when there is none)
#   floor_<name>       a test that fails on an include of a room that is not in the list
# What a room needs from outside is said in src/<name>/packages.cmake, next to its code.
function(hone_room name)
  set(folder ${CMAKE_SOURCE_DIR}/src/${name})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${folder}/*.cc)
  set(tests ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(FILTER sources EXCLUDE REGEX "(_test|_bench|_library|/main)\\.cc$")

  if(sources)
    add_library(hone_${name} STATIC ${sources})
    set(scope PUBLIC)
  else()
    add_library(hone_${name} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_link_libraries(hone_${name} ${scope} hone_options)
  foreach(room ${ARGN})
    target_link_libraries(hone_${name} ${scope} hone_${room})
  endforeach()
  include(${folder}/packages.cmake OPTIONAL)

  if(tests AND NOT HONE_TENSOR_ONLY)
    find_package(GTest REQUIRED)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE hone_${name} GTest::gtest GTest::gtest_main)
    add_test(NAME ${name} COMMAND ${name}_test WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  endif()

  string(REPLACE ";" "," allowed "${name};${ARGN}")
  add_test(NAME floor_${name}
    COMMAND ${CMAKE_COMMAND} -DROOM=${folder} -DALLOWED=${allowed}
            -P ${CMAKE_SOURCE_DIR}/cmake/check_floor.cmake)
endfunction()

# hone_program(name room): the executable of src/<room>/main.cc.
function(hone_program name room)
  if(EXISTS ${CMAKE_SOURCE_DIR}/src/${room}/main.cc)
    add_executable(${name} ${CMAKE_SOURCE_DIR}/src/${room}/main.cc)
    target_link_libraries(${name} PRIVATE hone_${room})
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
    install(TARGETS ${name})
  endif()
endfunction()

# What crosses rooms: every folder of tests/ with a CMakeLists.txt.
function(hone_tests_across_rooms)
  file(GLOB lists CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/*/CMakeLists.txt)
  foreach(list ${lists})
    get_filename_component(folder ${list} DIRECTORY)
    add_subdirectory(${folder})
  endforeach()
endfunction()
