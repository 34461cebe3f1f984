# Toolchain for 64-bit Arm with Debian's cross compiler. Arm's libraries lie unpacked in
# HONE_ARM_ROOT (scripts/test_arm.sh puts them there); nothing of the host's is taken.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -L /usr/aarch64-linux-gnu)

set(HONE_ARM_ROOT ${CMAKE_CURRENT_LIST_DIR}/../build/arm_root)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH ${HONE_ARM_ROOT} /usr/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(CMAKE_CXX_FLAGS_INIT "-isystem ${HONE_ARM_ROOT}/usr/include")
set(CMAKE_EXE_LINKER_FLAGS_INIT
  "-Wl,-rpath-link,${HONE_ARM_ROOT}/usr/lib/aarch64-linux-gnu")
