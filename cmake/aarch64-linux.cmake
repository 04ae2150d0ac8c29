# Builds for 64-bit Arm Linux on a Debian machine of another kind: with Debian's cross compiler, and the arm64 packages
# that scripts/aarch64_packages.sh unpacks into build/aarch64-packages. Tests run under qemu-user; the environment
# variable QEMU_CPU chooses the processor (`qemu-aarch64 -cpu help`).
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)

# Debian has the name without a version in a package of its own.
find_program(aarch64_cc NAMES aarch64-linux-gnu-gcc aarch64-linux-gnu-gcc-12 REQUIRED)
find_program(aarch64_cxx NAMES aarch64-linux-gnu-g++ aarch64-linux-gnu-g++-12 REQUIRED)
set(CMAKE_C_COMPILER ${aarch64_cc})
set(CMAKE_CXX_COMPILER ${aarch64_cxx})

# The C library is the cross compiler's; everything else is looked for among the unpacked packages, and nowhere else.
set(aarch64_packages ${CMAKE_CURRENT_LIST_DIR}/../build/aarch64-packages)
set(CMAKE_FIND_ROOT_PATH ${aarch64_packages})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_LIBDIR} ${aarch64_packages}/usr/lib/aarch64-linux-gnu/pkgconfig)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${aarch64_packages})

set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -L /usr/aarch64-linux-gnu)
