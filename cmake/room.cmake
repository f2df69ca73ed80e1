# add_room(NAME SOURCES a.c b.c DEPS base proto [PURE regex])
# One static library.  PURE rooms may not hold state or call out, see tools/check/pure.
function(add_room name)
  cmake_parse_arguments(PARSE_ARGV 1 room "" "PURE" "SOURCES;DEPS")
  add_library(${name} STATIC ${room_SOURCES})
  target_link_libraries(${name} PUBLIC flags ${room_DEPS})
  if(DEFINED room_PURE AND NOT SANITIZE AND NOT MUTANT)
    set(lower "")
    foreach(dep IN LISTS room_DEPS)
      list(APPEND lower $<TARGET_FILE:${dep}>)
    endforeach()
    add_test(NAME lint.pure.${name}
      COMMAND ${PROJECT_SOURCE_DIR}/tools/check/pure $<TARGET_FILE:${name}> "${room_PURE}" ${lower})
    set_tests_properties(lint.pure.${name} PROPERTIES LABELS "lint;${name}")
  endif()
endfunction()

# add_unit(ROOM): every tests/unit/ROOM/*.c is one test of the room, and links the room and what is named behind it.
function(add_unit room)
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/unit/${room}/*.c)
  if(NOT TARGET room_${room})
    add_custom_target(room_${room}) # what `./dev test ROOM` builds
  endif()
  foreach(source IN LISTS sources)
    get_filename_component(stem ${source} NAME_WE)
    set(target unit_${room}_${stem})
    add_executable(${target} ${source})
    target_link_libraries(${target} PRIVATE flags testing ${room} ${ARGN})
    target_compile_definitions(${target} PRIVATE _POSIX_C_SOURCE=200809L
      SOURCE_DIR="${PROJECT_SOURCE_DIR}")
    add_dependencies(room_${room} ${target})
    add_test(NAME ${room}.${stem} COMMAND ${target})
    # A test may ask for more memory than there is; sanitizers then answer as malloc does.
    set_tests_properties(${room}.${stem} PROPERTIES LABELS ${room} TIMEOUT 120
      ENVIRONMENT "ASAN_OPTIONS=allocator_may_return_null=1;TSAN_OPTIONS=allocator_may_return_null=1")
  endforeach()
endfunction()

# add_fuzz(NAME ROOM...): with FUZZ on, tests/fuzz/NAME.c is a libFuzzer program that links the rooms, and one test
# replays its corpus.  To grow the corpus: build/fuzz/tests/fuzz_NAME -max_total_time=60 tests/fuzz/corpus/NAME
function(add_fuzz name)
  if(NOT FUZZ)
    return()
  endif()
  set(corpus ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name})
  file(GLOB inputs ${corpus}/*)
  if(NOT inputs)
    message(FATAL_ERROR "${corpus} is empty: its replay would test nothing")
  endif()
  add_executable(fuzz_${name} ${PROJECT_SOURCE_DIR}/tests/fuzz/${name}.c)
  target_link_libraries(fuzz_${name} PRIVATE flags ${ARGN})
  target_compile_definitions(fuzz_${name} PRIVATE _POSIX_C_SOURCE=200809L)
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  add_test(NAME fuzz.${name} COMMAND fuzz_${name} -runs=0 ${corpus})
  set_tests_properties(fuzz.${name} PROPERTIES LABELS corpus TIMEOUT 300)
endfunction()
