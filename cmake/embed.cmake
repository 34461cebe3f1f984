# Writes the source of hone_embed (cmake/hone_embed.cmake): the bytes come in by .incbin, so that a
# megabyte costs no compile time.
file(STRINGS ${LIST} files)
if(NOT files)
  file(GLOB_RECURSE files ${BASE}/*)
endif()
list(SORT files)

set(bytes "")
set(table "")
set(number 0)
foreach(file ${files})
  file(RELATIVE_PATH name ${BASE} ${file})
  file(SHA256 ${file} digest)
  file(SIZE ${file} size)
  set(kept ${file})
  set(is_gzip false)
  if(GZIP)
    set(packed ${SOURCE}.${number}.gz)
    execute_process(COMMAND gzip -9nc ${file} OUTPUT_FILE ${packed} COMMAND_ERROR_IS_FATAL ANY)
    file(SIZE ${packed} packed_size)
    if(packed_size LESS size)
      set(kept ${packed})
      set(is_gzip true)
    endif()
  endif()
  set(label hone_embedded_${SYMBOL}_${number})
  string(APPEND bytes
"    \"${label}: .incbin \\\"${kept}\\\"\\n${label}_end: .byte 0\\n\"\n")
  string(APPEND externs
"extern const char ${label}[], ${label}_end[];\n")
  string(APPEND table
"      {\"${name}\", between(${label}, ${label}_end), \"${digest}\", ${is_gzip}},\n")
  math(EXPR number "${number} + 1")
endforeach()

file(WRITE ${SOURCE} "// Made by cmake/embed.cmake.
#include <span>
#include <vector>

#include \"base/embedded_file.h\"

asm(\".section .rodata\\n\"
${bytes}    \".previous\\n\");
extern \"C\" {
${externs}}

namespace hone::embedded {
namespace {
[[maybe_unused]] std::string_view between(const char* begin, const char* end) {
  return {begin, static_cast<size_t>(end - begin)};
}
}  // namespace

std::span<const EmbeddedFile> ${SYMBOL}();
std::span<const EmbeddedFile> ${SYMBOL}() {
  static const std::vector<EmbeddedFile> files = {
${table}  };
  return files;
}

}  // namespace hone::embedded
")
