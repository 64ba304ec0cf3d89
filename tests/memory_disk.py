"""Print a new folder for a suite's files: in memory where that serves, else where temporary files are.

Most of what the tests wait for are disks that say that a file is safe, and no test needs it to be so
after the power fails. A file system in memory serves where it has room and lets programs be executed
(containers often have one of 64 MiB, or without execution).
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

IN_MEMORY = Path("/dev/shm")
WANTED = 6 << 30  # Bytes.


def main() -> None:
    print(tempfile.mkdtemp(prefix="outlast-tests-", dir=IN_MEMORY if serves(IN_MEMORY) else None))


def serves(folder: Path) -> bool:
    try:
        if shutil.disk_usage(folder).free < WANTED or available_memory() < WANTED:
            return False
        with tempfile.TemporaryDirectory(dir=folder) as inside:
            program = Path(inside, "program")
            program.write_text("#!/bin/sh\n")
            program.chmod(0o700)
            return subprocess.run([program], check=False).returncode == 0
    except OSError:
        return False


def available_memory() -> int:
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return int(fields["MemAvailable"].split()[0]) << 10


if __name__ == "__main__":
    main()
