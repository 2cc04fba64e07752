"""Run the crew once and print its result: `python -m crew.run "brief"`, or JSON in with `--stdin`.

Without the gateway, as a Next route calls it; docs/PROTOCOL.md has the contract.
"""

from sidecar.worker.once import main

if __name__ == "__main__":
    main()
