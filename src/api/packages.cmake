# The web page: web/dist as npm built it, else its plain twin. Both forms of each file are kept, so that
# nothing has to be unpacked for a client that takes no gzip.
if(EXISTS ${CMAKE_SOURCE_DIR}/web/dist/index.html)
  set(web_folder ${CMAKE_SOURCE_DIR}/web/dist)
else()
  set(web_folder ${CMAKE_CURRENT_SOURCE_DIR}/src/api/plain_web)
endif()
hone_embed(hone_api web_files BASE ${web_folder} DEPENDS ${web_folder}/index.html)
hone_embed(hone_api web_files_gzip BASE ${web_folder} GZIP DEPENDS ${web_folder}/index.html)
