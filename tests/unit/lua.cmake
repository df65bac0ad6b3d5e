# The language core, without sockets. It has one thread, so there is nothing in it for TSan, which besides holds back the
# signals that interrupt it.
if(TARGET adrastea_lua_core AND NOT CMAKE_CXX_FLAGS MATCHES "-fsanitize=thread")
  add_custom_target(adrastea_lua_unit_tests)
  foreach(test cells complete completion help_fuzz hostile inspection interrupt jupyter lexer streams traceback values)
    adrastea_unit_test(lua_${test}_test.cpp adrastea_lua_core)
    target_include_directories(lua_${test}_test PRIVATE ${PROJECT_SOURCE_DIR}/framework/include)
    add_dependencies(adrastea_lua_unit_tests lua_${test}_test)
  endforeach()
endif()
