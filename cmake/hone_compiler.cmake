# One dialect, one set of warnings, one way of rounding for every room.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

option(HONE_FUZZ "build the fuzz targets with libFuzzer (Clang)" OFF)
option(HONE_WERROR "warnings are errors" ON)
option(HONE_TENSOR_ONLY "only the tensor room and its hashes, for a cross compiler" OFF)

find_program(HONE_CCACHE ccache)
if(HONE_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${HONE_CCACHE})
endif()

add_library(hone_options INTERFACE)
# -ffp-contract=off: a*b+c is two roundings unless the source says MulAdd (docs/numerics.md).
target_compile_options(hone_options INTERFACE
  -ffp-contract=off -fno-fast-math
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion
  # GCC 12 sees overlapping copies in std::string that are not there (GCC bug 105329).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
# Under a sanitiser GCC 12 cannot see that the error of a variant that holds a value is never read, and
# says that it may be uninitialised; what is really so the sanitisers themselves find.
if(CMAKE_CXX_FLAGS MATCHES "-fsanitize=")
  target_compile_options(hone_options INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
endif()
if(HONE_WERROR)
  target_compile_options(hone_options INTERFACE -Werror)
endif()
target_include_directories(hone_options INTERFACE ${CMAKE_SOURCE_DIR}/src)
find_package(Threads REQUIRED)
target_link_libraries(hone_options INTERFACE Threads::Threads)
