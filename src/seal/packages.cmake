find_package(OpenSSL REQUIRED)              # SHA-256 through EVP
find_library(SODIUM_LIBRARY sodium REQUIRED)  # Argon2id, sealed boxes, keyed digests
target_link_libraries(hone_seal PRIVATE OpenSSL::Crypto ${SODIUM_LIBRARY})
