"""`FILE[:AGENT]` finds the agent that a user means, or says what there is."""

import pytest

from outlast.cli.program import ProgramError, load_program

ONE = "from outlast import Agent\nbot = Agent(name='Bot')\n"
TEAM = """
from outlast import Agent
helper = Agent(name="Helper")
front = Agent(name="Front desk", handoffs=[helper])
"""


@pytest.fixture
def write(tmp_path):
    def write(text, name="program.py"):
        file = tmp_path / name
        file.write_text(text)
        return file

    return write


def test_the_only_agent_needs_no_name(write):
    file = write(ONE)
    program = load_program(str(file))
    assert (program.agent.name, program.place) == ("Bot", f"{file}:bot")


def test_the_place_of_a_program_loads_it_again(write):
    place = load_program(str(write(TEAM))).place
    assert load_program(place).agent.name == "Front desk"


@pytest.mark.parametrize("name", ["helper", "Helper"])
def test_an_agent_is_named_by_its_variable_or_its_name(write, name):
    assert load_program(f"{write(TEAM)}:{name}").agent.name == "Helper"


@pytest.mark.parametrize("target", ["helper", "handoff(helper)"])
def test_the_agent_that_nobody_hands_off_to_is_the_first(write, target):
    text = TEAM.replace("import Agent", "import Agent, handoff").replace("[helper]", f"[{target}]")
    assert load_program(str(write(text))).agent.name == "Front desk"


def test_a_variable_called_agent_is_preferred(write):
    file = write("from outlast import Agent\nagent, b = Agent(name='A'), Agent(name='B')\n")
    assert load_program(str(file)).agent.name == "A"


def test_two_equal_agents_have_to_be_told_apart(write):
    file = write("from outlast import Agent\na, b = Agent(name='A'), Agent(name='B')\n")
    with pytest.raises(ProgramError, match=r"program\.py:a or b"):
        load_program(str(file))


@pytest.mark.parametrize(
    ("text", "suffix", "message"),
    [
        ("x = 1\n", "", "has no Agent"),
        (ONE, ":other", "has no Agent 'other'; it has bot"),
    ],
)
def test_a_program_without_the_agent_says_what_it_has(write, text, suffix, message):
    with pytest.raises(ProgramError, match=message):
        load_program(f"{write(text)}{suffix}")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ProgramError, match="There is no file"):
        load_program(str(tmp_path / "nothing.py"))


def test_a_file_that_is_not_python_is_refused(write):
    with pytest.raises(ProgramError, match="not a Python file"):
        load_program(str(write("hello", "program.txt")))
