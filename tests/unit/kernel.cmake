adrastea_unit_test(log_test.cpp adrastea_support)

set(all_layers adrastea_support adrastea_wire adrastea_transport adrastea_server adrastea_services adrastea_kernel)
adrastea_unit_test(command_line_test.cpp ${all_layers})
adrastea_unit_test(kernelspec_test.cpp ${all_layers})
