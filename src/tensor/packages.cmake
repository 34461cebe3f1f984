find_library(HWY_LIBRARY hwy REQUIRED)  # Google Highway: dispatch at run time
target_link_libraries(hone_tensor PRIVATE ${HWY_LIBRARY})
