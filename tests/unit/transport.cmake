# The sockets, the files that lead to them, and what of the process they depend on.
adrastea_unit_test(atomic_file_test.cpp adrastea_support)
adrastea_unit_test(exit_cleanup_test.cpp adrastea_support)
adrastea_unit_test(fork_guard_test.cpp adrastea_support)
adrastea_unit_test(process_usage_test.cpp adrastea_support)
foreach(test connection_file_test connection_file_errors_test bind_tcp_test bind_ipc_test router_test publisher_test
             heartbeat_test bound_life_test)
  adrastea_unit_test(${test}.cpp adrastea_transport adrastea_wire adrastea_support)
endforeach()
