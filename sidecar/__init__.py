"""The gateway beside `next dev`: one event log per run, shown over WebSocket and SSE.

Imports point down only, rooms are entered by their `__init__`, and tests/test_architecture.py holds
both (`python -m tests.rooms` draws them as they are)::

    __main__             the command line
    terminal             a run in a terminal
    runlist  threads     the lists of runs and of conversations there
    compare/             a measurement of both transports
    doctor               what keeps a crew from being served here
    client/              a program's way in
    gateway              opens and closes everything
    web/                 aiohttp routes, transports, who may enter
    runs/                one run's life, and the owner of all of them
    log/   pool/         logs and their readers; child processes
    protocol/            commands, events, framing, states: what goes over the wire
    datafolder           the folder of the log and of the runs' files
    settings  channel    what a user can set; the vocabulary between gateway and worker
    errors  clock  tasks  inputs  keyboard  labels  prices

    worker/              another program: one run of a crew. It is started as a command line, spoken
                         to in the vocabulary of `channel`, and the only place that imports crewai.
                         `inputs`, names that mean the same, is the one other thing they share
"""

__version__ = "0.1.0"
