find_library(RE2_LIBRARY re2 REQUIRED) #regex.cc : patterns from a command line, in linear time
    target_link_libraries(hone_reward PRIVATE ${RE2_LIBRARY})
