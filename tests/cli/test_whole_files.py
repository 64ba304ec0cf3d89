"""`outlast run FILE`: files that run agents by themselves, and programs of openai-agents as they are."""

import os
import subprocess
import sys

import pytest

README = """
from outlast import Agent, Runner, function_tool

@function_tool
def get_weather(city: str) -> str:
    "Say what the weather is like in a city."
    return f"{city}: sunny, 21 degrees"

agent = Agent(name="Guide", tools=[get_weather], model="offline")
print(Runner.run_sync(agent, "What is the weather in Lisbon?").final_output)
"""
LOOP = """
import asyncio
from outlast import Agent, Runner

agent = Agent(name="Guide", model="offline")

async def main():
    print("Lisbon", (await Runner.run(agent, "hi")).final_output)

asyncio.run(main())
"""
UPSTREAM = """
import asyncio
import sys
from agents import Agent, Runner

async def main():
    agent = Agent(name="Assistant", instructions="Haikus only.")
    result = await Runner.run(agent, "Lisbon")
    print(result.final_output, sys.argv[1:])

if __name__ == "__main__":
    asyncio.run(main())
"""


def outlast(*words, cwd, **environment):
    """The command line in a process of its own, as a shell starts it."""
    return subprocess.run(
        [sys.executable, "-m", "outlast", *words],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


WAITS = """
import asyncio
from outlast import Agent, Runner, function_tool

@function_tool(needs_approval=True)
def refund(order: str) -> str:
    "Refund an order."
    return f"{order} is refunded"

def make(): return Agent(name="Desk", tools=[refund], model="offline")
async def make_later(): return make()
def make_for(user): return make()
def nothing(): pass
top = make()

async def main(agent, **options):
    await Runner.run(agent, "Please refund A-1007.", run_id="r", **options)
"""


@pytest.fixture
def write(tmp_path):
    def write(text, name="program.py"):
        (tmp_path / name).write_text(text)
        return tmp_path

    return write


@pytest.mark.parametrize("text", [README, LOOP, UPSTREAM])
def test_a_file_is_run_as_python_would_run_it(write, text):
    done = outlast("run", "program.py", cwd=write(text), OUTLAST_OFFLINE="1")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("Lisbon") >= 1


@pytest.mark.parametrize("text", [README, LOOP])
def test_a_file_that_runs_an_agent_can_be_told_something_else(write, text):
    done = outlast("run", "program.py", "weather", "in", "Rome", cwd=write(text))
    assert done.returncode == 0, done.stderr
    assert "Lisbon" in done.stderr  # What the file prints by itself is kept.
    assert "Rome" in done.stdout


def test_a_program_without_an_agent_at_its_top_gets_the_words(write):
    done = outlast("run", "program.py", "a", "b c", cwd=write(UPSTREAM), OUTLAST_OFFLINE="1")
    assert done.returncode == 0, done.stderr
    assert "['a', 'b c']" in done.stdout


def test_a_program_of_openai_agents_runs_as_a_script(write):
    command = [sys.executable, "-m", "outlast.compat", "program.py", "--x", "1"]
    done = subprocess.run(
        command,
        cwd=write(UPSTREAM),
        env={**os.environ, "OUTLAST_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "['--x', '1']" in done.stdout


def test_a_projects_own_agents_module_is_left_alone(write):
    folder = write("kind = 'mine'\n", "agents.py")
    write("import agents\nfrom outlast import Agent\nprint(agents.kind)\nagent = Agent(name='x')\n")
    done = outlast("run", "program.py", "hi", cwd=folder, OUTLAST_OFFLINE="1")
    assert done.returncode == 0, done.stderr
    assert "mine" in done.stderr


@pytest.mark.parametrize(
    ("ending", "status"),
    [("sys.exit(7)", 7), ("sys.exit()", 0), ("sys.exit('gone wrong')", 1), ("exit(3)", 3)],
)
def test_the_status_of_a_file_is_the_status_of_the_command(write, ending, status):
    done = outlast("run", "program.py", cwd=write(f"import sys\n{ending}\n"))
    assert done.returncode == status
    assert ("gone wrong" in done.stderr) == (status == 1)


def test_a_file_that_only_makes_an_agent_wants_a_message(write):
    folder = write("from outlast import Agent\nagent = Agent(name='x', model='offline')\n")
    done = outlast("run", "program.py", cwd=folder)
    assert done.returncode == 2
    assert 'outlast run program.py "MESSAGE"' in done.stderr


CLERK = """
from outlast import Agent, Runner, function_tool

@function_tool(needs_approval=True)
def cancel_order(order: str) -> str:
    "Cancel an order."
    return f"{order} is cancelled"

agent = Agent(name="Clerk", model="offline", tools=[cancel_order])
result = Runner.run_sync(agent, "Cancel order 17", run_id="ticket-12")
print(len(result.interruptions), "wait")
"""


def test_a_call_is_approved_in_a_program_that_runs_by_itself(write):
    folder = write(CLERK)
    assert "1 wait" in outlast("run", "program.py", cwd=folder).stdout
    call = outlast("approve", "ticket-12", cwd=folder).stdout.split()[0]
    done = outlast("approve", "ticket-12", call, "--agent", "program.py", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "17 is cancelled" in done.stdout
    again = outlast("resume", "ticket-12", "--agent", "program.py", cwd=folder)
    assert again.returncode == 0, again.stderr


@pytest.mark.parametrize("makes_agent", ["", "agent = Agent(name='x', model='offline')\n"])
def test_words_behind_dashes_are_arguments_of_a_file_that_runs_itself(write, makes_agent):
    main = "if __name__ == '__main__':\n    print(sys.argv[1:])\n"
    folder = write(f"import sys\nfrom outlast import Agent\n{makes_agent}{main}")
    done = outlast("run", "program.py", "--", "--ticket", "5", cwd=folder)
    assert (done.returncode, done.stdout) == (0, "['--ticket', '5']\n"), done.stderr


def test_words_behind_dashes_are_the_message_of_a_file_with_an_agent_only(write):
    folder = write("from outlast import Agent\nagent = Agent(name='x', model='offline')\n")
    done = outlast("run", "program.py", "--", "--ticket 5", cwd=folder)
    assert (done.returncode, "--ticket 5" in done.stdout) == (0, True), done.stderr


@pytest.mark.parametrize(
    ("main", "place"),
    [
        ("asyncio.run(main(top))", "program.py:top"),
        ("if __name__ == '__main__': asyncio.run(main(top))", "program.py:top"),
        ("asyncio.run(main(make()))", "program.py:FUNCTION"),
        ("if __name__ == '__main__':\n  late = make()\n  asyncio.run(main(late))", "program.py:FUNCTION"),
    ],
)  # fmt: skip
def test_the_log_says_which_file_and_which_variable_a_run_was_made_in(write, main, place):
    folder = write(WAITS + main)
    assert outlast("run", "program.py", cwd=folder).returncode == 0
    shown = outlast("resume", "r", cwd=folder, COLUMNS="200")
    assert shown.returncode == 2
    assert "program.py" in shown.stderr
    assert f"outlast resume r --agent {place}" in shown.stderr
    assert ("Runner.resume('r', agent)" in shown.stderr) == place.endswith("FUNCTION")
    done = outlast(
        "approve", "r", "--all", "--agent", place.replace("FUNCTION", "make"), cwd=folder
    )
    assert done.returncode == 0, done.stderr
    assert "A-1007 is refunded" in done.stdout


def test_a_program_that_deletes_its_own_file_still_runs(write):
    folder = write(WAITS + "import os; os.remove(__file__)\nasyncio.run(main(top))")
    done = outlast("run", "program.py", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_agent_is_found_by_a_function_that_returns_it(write):
    folder = write(WAITS)
    for name, said in [("make_for", "takes arguments (user)"), ("nothing", "returned NoneType")]:
        done = outlast("run", f"program.py:{name}", "hi", cwd=folder, COLUMNS="200")
        assert (done.returncode, said in done.stderr) == (2, True)
    for name in ("make", "make_later"):
        done = outlast("run", f"program.py:{name}", "hi", cwd=folder)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("options", "asks"),
    [
        ("context=3", "context=..."),
        ("session=SQLiteSession('s', 's.db')", "session=..."),
        ("context=3, session=SQLiteSession('s', 's.db')", "session=..., context=..."),
    ],
)
def test_a_decision_names_the_call_that_goes_on_with_a_run_that_only_its_program_can(
    write, options, asks
):
    main = f"from outlast import SQLiteSession\nasyncio.run(main(top, {options}))"
    folder = write(WAITS + main)
    assert outlast("run", "program.py", cwd=folder).returncode == 0
    done = outlast("approve", "r", "--all", cwd=folder)
    assert done.stdout.splitlines()[1:] == [
        f"await Runner.resume('r', agent, {asks})   in program.py"
    ]
    refused = outlast("resume", "r", "--agent", "program.py:top", cwd=folder, COLUMNS="200")
    assert f"await Runner.resume('r', agent, {asks})   in program.py" in refused.stderr
