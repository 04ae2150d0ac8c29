# cmake -D SOURCE=... -D BUILD=... -D WORK=... -D CXX=... -D CC=... [-D FLAGS=...] -P package_test.cmake
#
# Installs the library into an empty prefix, builds the consumer project against it as a stranger would, and
# runs its two programs, on a real model where there is one.
cmake_minimum_required(VERSION 3.25)

function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(REMOVE_RECURSE ${WORK}/prefix ${WORK}/consumer)
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/prefix)
run(${CMAKE_COMMAND} -S ${SOURCE} -B ${WORK}/consumer -G Ninja
    -DCMAKE_PREFIX_PATH=${WORK}/prefix -DCMAKE_CXX_COMPILER=${CXX} -DCMAKE_C_COMPILER=${CC}
    -DCMAKE_CXX_FLAGS=${FLAGS} -DCMAKE_C_FLAGS=${FLAGS})
run(${CMAKE_COMMAND} --build ${WORK}/consumer)

set(model $ENV{KVSPLIT_SMOLLM2})
if(NOT model)
  set(model $ENV{HOME}/.cache/kvsplit/SmolLM2-135M-Instruct.Q4_1.gguf)
endif()
if(NOT EXISTS ${model})
  message("NO MODEL: only the error paths run. ./scripts/models.sh smollm2 gets one.")
  set(model "")
endif()
run(${WORK}/consumer/consumer_cpp ${model})
run(${WORK}/consumer/consumer_c ${model})
if(EXISTS ${WORK}/prefix/bin/kvsplit)
  run(${WORK}/prefix/bin/kvsplit --version)
endif()
