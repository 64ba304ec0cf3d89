"""`outlast run FILE ...` and `outlast run -m MODULE ...`: programs of openai-agents, unmodified."""

import subprocess
import sys

import pytest

PROGRAM = """
import sys
from agents import Agent, Runner
agent = Agent(name="A", model="offline")
print(sys.argv, __name__, Agent.__module__.partition(".")[0])
if "--fail" in sys.argv:
    sys.exit(7)
if "--words" in sys.argv:
    sys.exit("No such thing.")
"""


def outlast(*words, cwd):
    command = [sys.executable, "-m", "outlast", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    package = tmp_path / "desk"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(PROGRAM)
    (package / "report.py").write_text(PROGRAM + "from desk import __main__\n")
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--day", "5"],
        ["-h"],
        ["--help", "--id", "x", "--trace"],
        ["a b", "", "*"],
        ["--", "-x"],
    ],
)
def test_a_file_gets_all_words_behind_its_name(folder, words):
    done = outlast("run", "program.py", *words, cwd=folder)
    plain = subprocess.run(
        [sys.executable, "-m", "outlast.compat", "program.py", *words],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    kept = [word for word in words if word != "--"] if "--" in words else words
    assert done.stdout == f"{['program.py', *kept]} __main__ outlast\n"
    assert done.stdout == plain.stdout.replace("'--', ", "")


@pytest.mark.parametrize("words", [[], ["--day", "5"], ["-h"], ["-m", "x"]])
def test_a_module_gets_all_words_behind_its_name(folder, words):
    done = outlast("run", "-m", "desk", *words, cwd=folder)
    assert done.returncode == 0, done.stderr
    argv = [str(folder / "desk" / "__main__.py"), *words]
    assert done.stdout == f"{argv} __main__ outlast\n"


@pytest.mark.parametrize("program", [["program.py"], ["-m", "desk"]])
def test_the_status_of_a_program_is_that_of_the_command(folder, program):
    assert outlast("run", *program, "--fail", cwd=folder).returncode == 7
    done = outlast("run", *program, "--words", cwd=folder)
    assert (done.returncode, done.stderr.strip()) == (1, "No such thing.")


def test_a_program_that_fails_shows_its_error_and_has_status_1(folder):
    (folder / "program.py").write_text("import sys\nsys.argv\nraise ValueError('boom')\n")
    done = outlast("run", "program.py", cwd=folder)
    assert done.returncode == 1
    assert "ValueError: boom" in done.stderr


def test_what_a_module_lacks_is_not_taken_for_the_module(folder):
    (folder / "desk" / "__main__.py").write_text("import nothing_of_that_name\n")
    done = outlast("run", "-m", "desk", cwd=folder)
    assert done.returncode != 0
    assert "nothing_of_that_name" in done.stderr
    gone = outlast("run", "-m", "nowhere", cwd=folder)
    assert (gone.returncode, "nowhere" in gone.stderr) == (2, True)


def test_a_message_still_goes_to_the_agent_of_a_file_that_reads_no_words(folder):
    (folder / "guide.py").write_text(
        'from agents import Agent\nguide = Agent(name="G", model="offline")\n'
    )
    done = outlast("run", "guide.py", "hello", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "hello" in done.stdout
