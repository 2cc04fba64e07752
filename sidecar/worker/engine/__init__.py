"""Every call into CrewAI, documented or not; tests/worker/contracts pins them.

No names are lifted up to here: importing any of these modules but `models` imports crewai, which
takes seconds, and who needs one says so at the moment it does::

    models  offline  prose            which model; the one that needs no key
    build  kept  warm  locks          crews made, put back where they were, made ahead of need; what
                                  they lock
    mapping  tap                      CrewAI's events to facts
    gates  modifications  questions   what holds, changes and asks
"""
