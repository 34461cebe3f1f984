# hone_version_of(file): tells one source file HONE_VERSION and HONE_COMMIT, so that a new commit
# compiles one file and not the house. A commit is read when CMake configures; a work tree that
# differs from it says "+changed". Outside a git checkout the commit is "unknown".
function(hone_version_of file)
  set(commit unknown)
  find_package(Git QUIET)
  if(GIT_FOUND AND EXISTS ${CMAKE_SOURCE_DIR}/.git)
    execute_process(COMMAND ${GIT_EXECUTABLE} -C ${CMAKE_SOURCE_DIR} describe --always --abbrev=12
        --exclude=* --dirty=+changed
      OUTPUT_VARIABLE found OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE status)
    if(status EQUAL 0)
      set(commit ${found})
    endif()
    # A new commit configures again.
    execute_process(COMMAND ${GIT_EXECUTABLE} -C ${CMAKE_SOURCE_DIR} rev-parse --absolute-git-dir
      OUTPUT_VARIABLE git_folder OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    if(EXISTS ${git_folder}/logs/HEAD)
      set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${git_folder}/logs/HEAD)
    endif()
  endif()
  set_property(SOURCE ${CMAKE_SOURCE_DIR}/${file} APPEND PROPERTY COMPILE_DEFINITIONS
    HONE_VERSION="${PROJECT_VERSION}" HONE_COMMIT="${commit}")
endfunction()
