// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <adrastea/export.hpp>

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

/// The exceptions that cross the line between a kernel author's code and the framework.
///
/// Any exception, of any type, may leave an Interpreter's functions: it becomes that request's error reply. These types
/// only say more.
namespace adrastea {

/// Leaves execute() or evaluate() to end the request with this ename, evalue and traceback.
class ADRASTEA_EXPORT ExecutionError : public std::runtime_error {
 public:
  ExecutionError(std::string name, std::string value, std::vector<std::string> lines = {})
      : std::runtime_error(value), ename(std::move(name)), evalue(std::move(value)), traceback(std::move(lines)) {}
  std::string ename;
  std::string evalue;
  std::vector<std::string> traceback;
};

/// Thrown by Host::input when the user interrupted, or the kernel is ending. Let it pass through.
class ADRASTEA_EXPORT Interrupted : public ExecutionError {
 public:
  Interrupted() : ExecutionError("Interrupted", "the user interrupted the kernel") {}
};

/// Thrown by Host::input when nobody can be asked: the request did not allow stdin, its client's stdin channel is not
/// connected, or no request is running on this thread.
class ADRASTEA_EXPORT InputUnavailable : public ExecutionError {
 public:
  explicit InputUnavailable(std::string why) : ExecutionError("InputUnavailable", std::move(why)) {}
};

/// A kernel that cannot start: what(), on one line, names the channel or file, the endpoint or path, the cause and, where
/// there is one, the remedy. run() prints it and ends with status 1.
class ADRASTEA_EXPORT StartupError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace adrastea
