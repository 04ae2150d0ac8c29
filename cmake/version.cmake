# The commit that `kvsplit --version` prints; "unknown" outside a git checkout.
set(KVSPLIT_COMMIT "unknown")
find_package(Git QUIET)
if(Git_FOUND)
  execute_process(COMMAND ${GIT_EXECUTABLE} describe --always --dirty --abbrev=12
                  WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
                  OUTPUT_VARIABLE KVSPLIT_COMMIT_OUT OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET
                  RESULT_VARIABLE KVSPLIT_COMMIT_RC)
  if(KVSPLIT_COMMIT_RC EQUAL 0)
    set(KVSPLIT_COMMIT ${KVSPLIT_COMMIT_OUT})
  endif()
endif()
