"""What the doctor looks up in an installed release: needs.py."""

from __future__ import annotations

from tests.worker.contracts import check


@check
def check_all_that_is_needed_is_there() -> None:
    """needs.py: `crew-sidecar doctor` tells these by name. One that moved gets its new place beside
    the old one, in needs.py and where it is used."""
    from sidecar.worker.engine import needs

    assert needs.missing() == {}
