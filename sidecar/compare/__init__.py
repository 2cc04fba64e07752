"""`python -m sidecar compare`: both transports on the same run, side by side.

::

    figures, verdict   what was measured, condensed and judged; pure
    subscriber         one reader over one transport: stamps, counts, is cut off
    measure            one synthetic run with its readers, and their clocks
    report, chart      a table in the terminal, JSON, a page of HTML
    command            the command line
"""

from __future__ import annotations

from sidecar.compare.command import add_arguments, compare

__all__ = ["add_arguments", "compare"]
