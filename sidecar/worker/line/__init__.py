"""The socket's side of a worker: what the gateway orders, and what is said to it::

orders              lines in
outbox, coalesce    facts out, deltas merged; who is halted says nothing
redact, masking     no secret in what is said, whole or in pieces
capture             what the crew prints
"""
