# kvsplit_embed(TARGET NAME FILE): compiles the bytes of FILE into TARGET, as
#
#     namespace kvsplit::embedded { extern const std::string_view NAME; }
#
# A program that was installed without its sources has them too. The bytes become a string literal with one escape for
# each, which every compiler takes quickly. This file is also the script that writes it when the target is built.
if(CMAKE_SCRIPT_MODE_FILE)
  file(SIZE ${INPUT} size)
  file(READ ${INPUT} bytes HEX)
  string(REGEX REPLACE "(..)" "\\\\x\\1" bytes "${bytes}")
  # 32 bytes to a line: lines of megabytes trouble editors and some compilers.
  string(REPEAT "\\\\x.." 32 line)
  string(REGEX REPLACE "(${line})" "\\1\"\n    \"" bytes "${bytes}")
  file(WRITE ${OUTPUT} "#include <string_view>

namespace kvsplit::embedded {
extern const std::string_view ${NAME};
constinit const std::string_view ${NAME}(
    \"${bytes}\",
    ${size});
}  // namespace kvsplit::embedded
")
  return()
endif()

set(KVSPLIT_EMBED_SCRIPT ${CMAKE_CURRENT_LIST_FILE})

function(kvsplit_embed target name file)
  get_filename_component(input ${file} ABSOLUTE)
  set(output ${CMAKE_CURRENT_BINARY_DIR}/embedded/${name}.cc)
  add_custom_command(OUTPUT ${output} DEPENDS ${input} ${KVSPLIT_EMBED_SCRIPT}
                     COMMAND ${CMAKE_COMMAND} -DINPUT=${input} -DOUTPUT=${output} -DNAME=${name}
                             -P ${KVSPLIT_EMBED_SCRIPT}
                     COMMENT "Embedding ${name}" VERBATIM)
  # C++ promises literals of 64 KiB; the compilers take any length.
  set_source_files_properties(${output} PROPERTIES COMPILE_OPTIONS -Wno-overlength-strings)
  target_sources(${target} PRIVATE ${output})
endfunction()
