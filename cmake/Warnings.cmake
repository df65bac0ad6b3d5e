# adrastea_warnings(target): what our own code must compile without. Nothing of it reaches users of the library.
function(adrastea_warnings target)
  target_compile_options(
    ${target}
    PRIVATE -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor -Wold-style-cast
            $<$<BOOL:${ADRASTEA_DEVELOPER_MODE}>:-Werror> $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety>)
endfunction()
