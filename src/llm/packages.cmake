find_library(PCRE2_8_LIBRARY pcre2-8 REQUIRED)  # tokenizer/: the pre-tokenizers' regexes, with JIT
find_library(UTF8PROC_LIBRARY utf8proc REQUIRED)  # tokenizer/: NFC
target_link_libraries(hone_llm PRIVATE ${PCRE2_8_LIBRARY} ${UTF8PROC_LIBRARY})
