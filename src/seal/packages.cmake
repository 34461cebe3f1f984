find_package(OpenSSL REQUIRED)  # SHA-256 through EVP
target_link_libraries(hone_seal PRIVATE OpenSSL::Crypto)
