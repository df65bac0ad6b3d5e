// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "lua_fake_frontend.hpp"

#include <pthread.h>
#include <csignal>
#include <thread>

inline LuaNotebook* interrupted_notebook = nullptr;

/// While it lives SIGUSR1 on this thread is the stop button; another thread presses it once the cell has printed.
class StopButton {
 public:
  explicit StopButton(LuaNotebook& notebook) : notebook_(notebook) {
    interrupted_notebook = &notebook;
    struct sigaction action = {};
    action.sa_handler = [](int) {
      interrupted_notebook->frontend.is_interrupted = true;
      interrupted_notebook->session.interrupt();
    };
    sigaction(SIGUSR1, &action, &before_);
    notebook.frontend.on_write = [this] { press(); };
  }
  ~StopButton() {
    notebook_.frontend.on_write = nullptr;
    if (presser_.joinable()) presser_.join();
    sigaction(SIGUSR1, &before_, nullptr);
    notebook_.frontend.is_interrupted = false;
  }
  StopButton(const StopButton&) = delete;
  StopButton& operator=(const StopButton&) = delete;

 private:
  void press() {
    if (!presser_.joinable()) presser_ = std::thread([cell = pthread_self()] { pthread_kill(cell, SIGUSR1); });
  }

  LuaNotebook& notebook_;
  struct sigaction before_ = {};
  std::thread presser_;
};
