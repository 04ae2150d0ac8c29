# Kernels are compiled once per instruction set, each in its own translation unit. The sets of a build:
#
#     KVSPLIT_ISAS   sets of this processor family to build in addition to portable C++
#
# By default all of them. Under sanitizers, where kernels take minutes to compile, a single one: kernels are the same
# templates for all.
set(isas_of_family "")
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64|amd64")
  set(isas_of_family avx2 avxvnni avx512)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  set(isas_of_family neon i8mm)
endif()
set(default_isas ${isas_of_family})
if(KVSPLIT_SANITIZE)
  list(SUBLIST default_isas 0 1 default_isas)
endif()
set(KVSPLIT_ISAS "${default_isas}" CACHE STRING "Instruction sets to build kernels for, beside portable C++")
foreach(isa IN LISTS KVSPLIT_ISAS)
  if(NOT isa IN_LIST isas_of_family)
    list(JOIN isas_of_family ", " known)
    message(FATAL_ERROR "KVSPLIT_ISAS: no kernels for '${isa}' on ${CMAKE_SYSTEM_PROCESSOR}; there are: ${known}")
  endif()
endforeach()

# For C++: KVSPLIT_EACH_ISA, a list X(portable)X(avx2)... of the sets in this build, for the user's macro X.
set(KVSPLIT_EACH_ISA "X(portable)")
foreach(isa IN LISTS KVSPLIT_ISAS)
  string(APPEND KVSPLIT_EACH_ISA "X(${isa})")
endforeach()
set(KVSPLIT_EACH_ISA "KVSPLIT_EACH_ISA=${KVSPLIT_EACH_ISA}")

# kvsplit_isa_sources(OUT NAME): NAME_portable.cc, NAME_avx2.cc, ... of the sets in this build, with their flags.
# -mprefer-vector-width concerns only loops that the compiler vectorises itself.
function(kvsplit_isa_sources out name)
  set(avx2_flags -mavx2 -mfma -mf16c -mbmi2)
  set(avxvnni_flags ${avx2_flags} -mavxvnni)
  set(avx512_flags ${avx2_flags} -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vbmi -mavx512vbmi2
                   -mavx512vnni -mprefer-vector-width=512)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # The undefined operands inside gcc's own intrinsics are reported as ours (gcc bug 105593).
    list(APPEND avx512_flags -Wno-uninitialized -Wno-maybe-uninitialized)
  endif()
  set(neon_flags -march=armv8.2-a+dotprod)
  set(i8mm_flags -march=armv8.2-a+dotprod+i8mm)
  set(sources ${name}_portable.cc)
  set_source_files_properties(${name}_portable.cc PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  foreach(isa IN LISTS KVSPLIT_ISAS)
    set_source_files_properties(${name}_${isa}.cc PROPERTIES COMPILE_OPTIONS "${${isa}_flags}")
    list(APPEND sources ${name}_${isa}.cc)
  endforeach()
  set(${out} ${sources} PARENT_SCOPE)
endfunction()
