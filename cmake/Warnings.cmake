# adrastea_warnings(target): what our own code must compile without. Nothing of it reaches users of the library.
function(adrastea_warnings target)
  target_compile_options(
    ${target}
    PRIVATE -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor -Wold-style-cast
            $<$<BOOL:${ADRASTEA_DEVELOPER_MODE}>:-Werror> $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety>
            # GCC 12 sees overlapping copies in every optimized `"text" + std::string` (its bug 105651).
            $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict>)
  # GCC's instrumentation hides initialisations from its own warning: it then sees them missing inside the standard library.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_FLAGS MATCHES "-fsanitize")
    target_compile_options(${target} PRIVATE -Wno-maybe-uninitialized)
  endif()
endfunction()
