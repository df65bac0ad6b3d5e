# adrastea_render_kernelspec(template header program display_name encryption output): the template's kernel.json for a program
# at this absolute path, with another display name unless that is empty, and with supported_encryption only where libzmq has it
# (JEP 145: a kernel that declares it and cannot is never reached). Used while configuring (for the build tree) and by the install script (only there is the prefix known).
function(adrastea_render_kernelspec template header program display_name encryption output)
  file(STRINGS ${header} constant REGEX "k_kernelspec_protocol_version = \"[0-9.]+\"")
  string(REGEX MATCH "\"[0-9.]+\"" protocol "${constant}")
  if(NOT protocol)
    message(FATAL_ERROR "${header} has no k_kernelspec_protocol_version")
  endif()
  string(REGEX REPLACE "([\\\\\"])" "\\\\\\1" program "${program}")
  file(READ ${template} json)
  string(JSON json SET "${json}" argv 0 "\"${program}\"")
  string(JSON json SET "${json}" kernel_protocol_version "${protocol}")
  if(NOT encryption)
    string(JSON json REMOVE "${json}" metadata supported_encryption)
  endif()
  if(display_name)
    string(JSON json SET "${json}" display_name "\"${display_name}\"")
  endif()
  file(WRITE ${output} "${json}\n")
endfunction()

# adrastea_kernelspec(target name): stages share/jupyter/kernels/<name> beside the built program, and installs program and
# kernelspec. The target's property ADRASTEA_DISPLAY_NAME replaces the template's display name.
function(adrastea_kernelspec target name)
  get_target_property(display_name ${target} ADRASTEA_DISPLAY_NAME)
  if(NOT display_name)
    set(display_name "")
  endif()
  set(source ${PROJECT_SOURCE_DIR}/share/jupyter/kernels/${name})
  set(header ${PROJECT_SOURCE_DIR}/framework/src/wire/message.hpp)
  set(destination share/jupyter/kernels/${name})
  set(logos logo-32x32.png logo-64x64.png logo-svg.svg)

  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${source}/kernel.json ${header})
  adrastea_render_kernelspec(${source}/kernel.json ${header} ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/${target}
                             "${display_name}" "${ADRASTEA_LIBZMQ_HAS_CURVE}" ${PROJECT_BINARY_DIR}/${destination}/kernel.json)
  foreach(logo ${logos})
    configure_file(${source}/${logo} ${PROJECT_BINARY_DIR}/${destination}/${logo} COPYONLY)
    install(FILES ${source}/${logo} DESTINATION ${destination})
  endforeach()

  install(TARGETS ${target})
  # DESTDIR is no part of where the program will be found, so it is not in argv; file(INSTALL) adds it by itself.
  install(
    CODE "include(\"${PROJECT_SOURCE_DIR}/cmake/KernelSpec.cmake\")
          get_filename_component(prefix \"\${CMAKE_INSTALL_PREFIX}\" ABSOLUTE)
          set(program \"${CMAKE_INSTALL_BINDIR}/${target}\")
          cmake_path(ABSOLUTE_PATH program BASE_DIRECTORY \"\${prefix}\" NORMALIZE)
          set(rendered \"${PROJECT_BINARY_DIR}/install-kernelspec/${name}/kernel.json\")
          adrastea_render_kernelspec(\"${source}/kernel.json\" \"${header}\" \"\${program}\"
                                     \"${display_name}\" \"${ADRASTEA_LIBZMQ_HAS_CURVE}\" \"\${rendered}\")
          file(INSTALL DESTINATION \"\${CMAKE_INSTALL_PREFIX}/${destination}\" TYPE FILE FILES \"\${rendered}\")")
endfunction()
