"""The gateway beside `next dev`: one event log per run, shown over WebSocket and SSE.

Imports point down only, and tests/test_architecture.py holds it::

    __main__           the command line                         client   a program's way in
    gateway            opens and closes everything
    web/               aiohttp routes, transports, who may enter
    supervisor         owner of all runs
    execution          one run's life; the only writer of its log
    fanout  workers    readers of a log; child processes
    log/               memory, sqlite: one interface
    codec run protocol settings errors channel deadline sse     pure

`crew` is another program to this package: it is started as a command line and spoken to in the
vocabulary of `channel`. crewai is never imported here.
"""
