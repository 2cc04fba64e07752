"""A crew of your own, written as CrewAI's documentation has it, and shown as it is:

    cd docs/examples/own_crew
    crew-sidecar --crew crew.team:Team

(In a checkout that nobody installed, `PYTHONPATH=../../.. ../../../.venv/bin/python -m sidecar` is
the same as `crew-sidecar`.)

`crew` and `config` are this folder's own: the sidecar has no package of either name. Nothing here
knows of it; tokens, tool calls, pause, review and the rest need no line in the crew. Without a key
in the environment the offline model stands in for CrewAI's default one.
"""

from crewai import Agent, Crew, Task
from crewai.project import CrewBase, agent, crew, task

from crew.tools import count_syllables


@CrewBase
class Team:
    agents_config = "../config/agents.yaml"
    tasks_config = "../config/tasks.yaml"

    @agent
    def poet(self) -> Agent:
        return Agent(config=self.agents_config["poet"], tools=[count_syllables])

    @agent
    def editor(self) -> Agent:
        return Agent(config=self.agents_config["editor"])

    @task
    def write_haiku(self) -> Task:
        return Task(config=self.tasks_config["write_haiku"])

    @task
    def choose_title(self) -> Task:
        return Task(config=self.tasks_config["choose_title"])

    @crew
    def crew(self) -> Crew:
        return Crew(agents=self.agents, tasks=self.tasks)
