// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/// Marks what libadrastea exports; everything else is built with hidden visibility.
#if defined(_WIN32)
#define ADRASTEA_EXPORT
#else
#define ADRASTEA_EXPORT __attribute__((visibility("default")))
#endif
