"""A task of a crew is edited and run again through the command line, as for any workflow."""

import sys

import pytest

SCRIPT = """
    from crewai import LLM, Agent, Crew, Task
    from omium.adapters.crew import instrument

    agent = Agent(role="Writer", goal="Write", backstory="Brief", llm=LLM(model="openai/gpt-4o-mini"))

    def make(name):
        return Task(name=name, description=f"[[say: {name} it.]]", expected_output="A line", agent=agent)

    crew = instrument(Crew(name="report", agents=[agent], tasks=[make("research"), make("write")]))

    if __name__ == "__main__":
        print(crew.kickoff().raw)
"""


@pytest.mark.timeout(600)  # it starts CrewAI twice, on a machine that may be busy
def test_an_edited_task_is_taken_and_only_what_follows_runs(server, model):
    code, out, err = server.run(server.write("report.py", SCRIPT))
    assert code == 0, out + err
    source = server.newest()
    edit = 'research={"raw": "Badgers dig."}'
    arguments = [sys.executable, "-m", "omium", "replay", source["id"], "--from", "write", "--here", "--yes"]

    code, out, err = server.run(
        server.write(
            "replay.py", "import subprocess, sys; sys.exit(subprocess.run(sys.argv[1:]).returncode)"
        ),
        *arguments,
        "--edit-output",
        edit,
    )

    assert code == 0, out + err
    replayed = server.newest()
    assert (replayed["replay_of"], replayed["status"]) == (source["id"], "completed")
    assert model.asked == ["research it.", "write it.", "write it."]
    assert "Badgers dig." in str(replayed["output"])
    assert server.detail(source["id"])["status"] == "completed"
