"""One run's life, and the owner of all of them. From the bottom up::

run          the pure state of a run: what its events have come to
deadline     counted time that can be held
slots        how many runs may work at once, and who is next
recorder     the only writer of one run's log
controls     what people may do to a run: pause, resume, modify, answer
attempt      one worker's try at a run
execution    attempt after attempt, until one ends it
once         commands one at a time, each id with at most one effect
listing      which runs are listed, and their snapshots in one answer
lists        those in the store, and what those under way are by now
history      what was said in a thread before a run
threads      where a run joins one, and what there is to see and to do of them
supervisor   owner of all runs; every command ends there
"""

from __future__ import annotations

from sidecar.runs.crews import look_of, said
from sidecar.runs.history import title_of
from sidecar.runs.listing import Query
from sidecar.runs.supervisor import Supervisor

__all__ = ["Query", "Supervisor", "look_of", "said", "title_of"]
