"""The other program: one run of a crew, in a process of its own.

The gateway starts it by the path of `__main__` (sidecar/pool) and speaks to it in the vocabulary of
`sidecar.channel`, the one module of the gateway's that is imported here::

    __main__, main, zygote, synthetic    programs
    once                                 a run without the gateway: what `crew/run.py` is
    engine/                              every call into CrewAI; importing it takes seconds
    config/                              agents.yaml and tasks.yaml, loaded and checked
    line/                                the socket's side: facts out, orders in; stdlib only
    journal  started                     what a later attempt owes to the earlier ones
    environment  process  user           this process: its variables, its group, the user's folder

Nothing outside this folder imports crewai.
"""
