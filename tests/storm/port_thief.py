# SPDX-License-Identifier: BSD-3-Clause
"""Takes and drops ephemeral ports as fast as it can, until its standard input ends; then it prints how many it took.

It stands for all other programs of a busy machine. A port that a launcher has let go of for its kernel is as good as any to it.
"""

import select
import socket
import sys
from collections import deque

HELD = 3000  # at a time, about a tenth of Linux's range: enough to be met, too few to exhaust it
BATCH = 200


def grab() -> socket.socket:
    taken = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    taken.bind(("127.0.0.1", 0))
    return taken


def main() -> None:
    held: deque[socket.socket] = deque()
    count = 0
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], 0)[0]:
        for _ in range(BATCH):
            if len(held) == HELD:
                held.popleft().close()
            held.append(grab())
        count += BATCH
    print(count, flush=True)


if __name__ == "__main__":
    main()
