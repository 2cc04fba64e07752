"""What a peer has not acknowledged, asked of a real kernel."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator

import pytest

from sidecar.web.untaken import untaken
from tests.support.vanished import vanish

pytestmark = pytest.mark.skipif(
    sys.platform not in ("linux", "darwin"), reason="elsewhere the kernel can't be asked"
)

Pair = tuple[asyncio.Transport, socket.socket]


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    """A transport, and its peer: of a small window, whose owner reads when the test does."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8_192)
        peer.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(peer, server.getsockname())
        sock, _ = server.accept()
        transport, _ = await loop.connect_accepted_socket(asyncio.Protocol, sock)
        yield transport, peer
        transport.abort()
        await asyncio.sleep(0)


async def test_what_the_kernel_holds_counts_though_nothing_waits_in_user_space(pair: Pair) -> None:
    transport, _ = pair
    transport.write(b"x" * 60_000)
    assert transport.get_write_buffer_size() == 0
    # Its window is twice 8 KB.
    assert 60_000 - 16_384 <= untaken(transport) < 60_000


async def test_it_gets_less_as_the_peer_reads_and_is_nothing_in_the_end(pair: Pair) -> None:
    transport, peer = pair
    transport.write(b"x" * 60_000)
    loop = asyncio.get_running_loop()
    seen, left = [untaken(transport)], 60_000
    while left:
        left -= len(await loop.sock_recv(peer, left))
        seen.append(untaken(transport))
    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) >= 4
    assert seen[-1] == 0


async def test_a_peer_that_has_vanished_acknowledges_nothing(pair: Pair) -> None:
    transport, peer = pair
    vanish(peer)
    transport.write(b"hello")
    assert untaken(transport) == 5


async def test_of_a_socket_that_is_closed_only_user_space_is_asked(pair: Pair) -> None:
    transport, _ = pair
    transport.abort()
    await asyncio.sleep(0)
    assert untaken(transport) == 0
