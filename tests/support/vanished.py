"""A peer that is gone without a word, on loopback, where nothing is ever lost by itself."""

from __future__ import annotations

import ctypes
import socket
import struct
import sys
from typing import Final

import pytest

__all__ = ["vanish"]

_SO_ATTACH_FILTER: Final = 26
"""asm-generic/socket.h."""

_RET_0: Final = struct.pack("HBBI", 6, 0, 0, 0)
"""BPF_RET | BPF_K with 0 (linux/filter.h): of each segment keep nothing."""


def vanish(sock: socket.socket) -> None:
    """From now on its kernel drops whatever arrives for `sock` before TCP sees it (tcp_filter in
    net/ipv4/tcp_ipv4.c), and so acknowledges nothing. Skips the test where that can't be had."""
    if sys.platform != "linux":
        pytest.skip("only Linux drops what arrives for one socket (SO_ATTACH_FILTER)")
    code = ctypes.create_string_buffer(_RET_0)
    program = struct.pack("HP", 1, ctypes.addressof(code))  # struct sock_fprog; it is copied
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
    except PermissionError as error:
        pytest.skip(f"no filter can be attached to a socket here (it takes root): {error}")
