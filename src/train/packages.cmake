# libhone_mpi.so beside the program, where MPI is found: opened under mpirun and never linked.
set(MPI_CXX_SKIP_MPICXX TRUE)  # MPI's own C++ names are gone from its standard
find_package(MPI COMPONENTS CXX)
if(MPI_CXX_FOUND)
  add_library(hone_mpi SHARED ${CMAKE_CURRENT_SOURCE_DIR}/src/train/mpi_library.cc)
  target_link_libraries(hone_mpi PRIVATE hone_options MPI::MPI_CXX)
  set_target_properties(hone_mpi PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}
    PREFIX lib OUTPUT_NAME hone_mpi)
  install(TARGETS hone_mpi LIBRARY DESTINATION lib)
else()
  message(STATUS "No MPI (Debian: libopenmpi-dev): hone train runs in one process only")
endif()
target_link_libraries(hone_train PRIVATE ${CMAKE_DL_LIBS})
