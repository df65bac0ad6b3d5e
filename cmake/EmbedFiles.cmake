# adrastea_embed_files(output variable files): a C++ source that holds the texts of files by their names without extension,
# as `const std::map<std::string, std::string_view> adrastea::testing::<variable>`. A program can then be moved without them.
function(adrastea_embed_files output variable files)
  set(entries "")
  foreach(file ${files})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    get_filename_component(name ${file} NAME_WE)
    file(READ ${file} text)
    # A string literal may hold 64 KiB; adjacent ones are one.
    string(LENGTH "${text}" length)
    set(literal "")
    set(position 0)
    while(position LESS length)
      string(SUBSTRING "${text}" ${position} 8000 piece)
      string(APPEND literal "R\"embedded(${piece})embedded\"\n")
      math(EXPR position "${position} + 8000")
    endwhile()
    string(APPEND entries "{\"${name}\", ${literal}},\n")
  endforeach()
  file(CONFIGURE OUTPUT ${output} CONTENT "// Made by cmake/EmbedFiles.cmake.
#include <map>
#include <string>
#include <string_view>
namespace adrastea::testing {
extern const std::map<std::string, std::string_view> ${variable};
const std::map<std::string, std::string_view> ${variable}{
@entries@};
}
" @ONLY)
endfunction()
