"""`python -m scripts.check python node ports`: what would only fail minutes later, said first.

Runs on any Python 3 that can say that it is too old.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

from scripts.environment import PAGE_PORT, SIDECAR_PORT, development

PYTHONS = ((3, 11), (3, 13))
NODE = 20
_UNKNOWN = "another program"


def main(names: list[str]) -> int:
    """Exit code 1 when something is missing; each line on stderr names the way out."""
    checks = {"python": python, "node": node, "ports": ports}
    problems = [problem for name in names for problem in checks[name]()]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def python() -> list[str]:
    if PYTHONS[0] <= sys.version_info[:2] <= PYTHONS[1]:
        return []
    version = ".".join(map(str, sys.version_info[:3]))
    here = [f"python3.{minor}" for minor in range(PYTHONS[1][1], PYTHONS[0][1] - 1, -1)]
    found = [name for name in here if shutil.which(name)]
    command = f"make PYTHON={found[0] if found else here[0]} dev"
    inside = sys.prefix != sys.base_prefix
    return [
        f"The sidecar needs Python 3.{PYTHONS[0][1]} to 3.{PYTHONS[1][1]}, and "
        f"{'that of .venv' if inside else sys.executable or 'this one'} is {version}. "
        + ("" if found else "Install one (https://www.python.org), then: ")
        + (f"rm -rf .venv && {command}" if inside else command)
    ]


def node() -> list[str]:
    try:
        answer = subprocess.run(["node", "--version"], stdout=subprocess.PIPE, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return [f"The page needs Node {NODE} or newer, and there is none: https://nodejs.org"]
    version = answer.decode().strip()
    if int(version.lstrip("v").split(".")[0]) < NODE:
        return [f"The page needs Node {NODE} or newer, and this is {version}: https://nodejs.org"]
    if shutil.which("npm") is None:
        return [f"Node {version} is here without npm: install npm, or Node from nodejs.org"]
    return []


def ports() -> list[str]:
    """Those of the page and of the sidecar, as `make dev` would use them."""
    file = Path(".env")
    environ = development(os.environ, file.read_text() if file.is_file() else "")
    host = environ.get("SIDECAR_HOST", "").strip() or "127.0.0.1"
    problems = []
    # A browser may take `localhost` for either address, and must not meet another server at ::1.
    for name, standard, hosts in (
        ("PORT", PAGE_PORT, ("127.0.0.1", "::1")),
        ("SIDECAR_PORT", SIDECAR_PORT, (host,)),
    ):
        text = environ[name].strip()
        if not (text.isdigit() and 0 < int(text) < 65536):
            problems.append(f"{name}={text} is not a port: {name}={standard} make dev")
        elif _taken(hosts, int(text)):
            free = next((p for p in range(int(text) + 1, 65536) if not _taken(hosts, p)), standard)
            problems.append(
                f"port {text} is taken by {holder(int(text))}: stop it, or {name}={free} make dev"
            )
    if not problems and environ["PORT"].strip() == environ["SIDECAR_PORT"].strip():
        problems.append("PORT and SIDECAR_PORT are the same: the page and the sidecar need two")
    return problems


def _taken(hosts: tuple[str, ...], port: int) -> bool:
    for host in hosts:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                if error.errno in (errno.EADDRINUSE, errno.EACCES):
                    return True
                # No such address, or no IPv6: whoever listens there can say so better.
    return False


def holder(port: int) -> str:
    """Who listens there, as `command (pid 12)`, as far as this user may know."""
    pid = _pid_by_proc(port) if Path("/proc/net/tcp").is_file() else _pid_by_lsof(port)
    if not pid:
        return _UNKNOWN
    ask = ["ps", "-o", "args=", "-p", pid]
    try:
        args = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
    except OSError:
        args = subprocess.run(ask, stdout=subprocess.PIPE, check=False).stdout
    text = re.sub(r"[^ -~]", "?", args.decode(errors="replace").strip())
    return f"{text[:60].strip() or _UNKNOWN} (pid {pid})"


def _pid_by_proc(port: int) -> str:
    """proc(5): column 2 is the local address with its port in hex, 4 the state (0A = listening),
    10 the inode, to which a descriptor of its owner is a link."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        if Path(table).is_file():
            for row in Path(table).read_text().splitlines()[1:]:
                column = row.split()
                if column[3] == "0A" and column[1].endswith(f":{port:04X}"):
                    inodes.add(f"socket:[{column[9]}]")
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(os.readlink(link) in inodes for link in (process / "fd").iterdir()):
                return process.name
        except OSError:  # it is gone, or another user's
            continue
    return ""


def _pid_by_lsof(port: int) -> str:
    if shutil.which("lsof") is None:
        return ""
    ask = ["lsof", "-nP", "-t", f"-iTCP:{port}", "-sTCP:LISTEN"]
    return (
        subprocess.run(ask, stdout=subprocess.PIPE, check=False).stdout.decode().partition("\n")[0]
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
