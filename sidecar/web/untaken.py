"""What is on its way to a peer that it has not acknowledged.

The kernel frees its send buffer in steps of 49 to 95 KB, so that what waits in user space says for
15 s nothing of a reader at 3 KB/s. What is acknowledged moves by 12 KB where the reader's window is
16 KB; where it is 128 KB, Linux's default, by what half of it or all of it is on loopback, as such
a window stays shut meanwhile: who reads 9 KB/s is seen to read within 15 s, and no sender can tell
more.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import Final

__all__ = ["untaken"]

if sys.platform == "linux":
    import fcntl
    import termios

    _INT: Final = bytes(4)

    def _held(sock: socket.socket) -> int:
        # SIOCOUTQ of tcp(7), unsent and unacknowledged, is TIOCOUTQ by another name.
        held = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, _INT)
        return int.from_bytes(held, sys.byteorder)

elif sys.platform == "darwin":
    _SO_NWRITE: Final = 0x1024
    """sys/socket.h: bytes in the send buffer, which are there until they are acknowledged."""

    def _held(sock: socket.socket) -> int:
        return sock.getsockopt(socket.SOL_SOCKET, _SO_NWRITE)

else:

    def _held(sock: socket.socket) -> int:
        return 0


def untaken(transport: asyncio.Transport) -> int:
    """Bytes that were written and not acknowledged, in user space and in the kernel; where that
    can't be asked, in user space."""
    waiting = transport.get_write_buffer_size()
    try:
        return waiting + _held(transport.get_extra_info("socket"))
    except (OSError, ValueError):  # its peer has left; it is closed, and its descriptor -1
        return waiting
