"""An MCP server of one tool, over stdin and stdout: `python tests/support/shouter.py`."""

from __future__ import annotations

from mcp.server.fastmcp import FastMCP

server = FastMCP("shouter")


@server.tool()
def shout(text: str) -> str:
    """Say it louder."""
    return text.upper()


if __name__ == "__main__":
    server.run()
