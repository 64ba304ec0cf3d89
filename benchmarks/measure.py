"""Run ONE scenario of ONE peer in this process and print one JSON object as the last line.

python benchmarks/measure.py outlast loop10 [--variant power] [--seconds 2]
"""

import argparse
import asyncio
import importlib.util
import json
import os
import sys
import time
import traceback
from importlib.metadata import version
from pathlib import Path
from typing import Any

PEERS = Path(__file__).parent / "peers"


def driver_class(peer: str) -> Any:
    # By path, so that peers/agno.py does not hide the package of that name.
    spec = importlib.util.spec_from_file_location(f"peer_{peer}", PEERS / f"{peer}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.DRIVER


def import_cost(statement: str) -> dict[str, float]:
    modules = len(sys.modules)
    cpu, wall = time.process_time(), time.perf_counter()
    exec(statement, {})
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return {"cpu_ms": cpu * 1e3, "wall_ms": wall * 1e3, "modules": len(sys.modules) - modules}


def measure(peer: str, scenario: str, variant: str, seconds: float) -> dict[str, Any]:
    found = driver_class(peer)
    if scenario == "import":
        return {"figures": import_cost(found.IMPORT)}
    from scenarios import SCENARIOS

    if scenario in found.UNSUPPORTED:
        return {"error": "not offered"}
    others = other_processes()
    figures = asyncio.run(SCENARIOS[scenario](found(variant), seconds))
    return {
        "figures": figures,
        "versions": {name: version(name) for name in found.DISTS},
        "foreign_cores": round(others(), 2),
    }


def other_processes() -> Any:
    """Return a function that says how many cores other processes have used since.

    Children that have ended are not others.
    """

    def used() -> tuple[float, float, float]:
        fields = [int(word) for word in Path("/proc/stat").read_text().split(maxsplit=9)[1:9]]
        ours = os.times()
        busy = (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")
        return busy, sum(ours[:4]), time.perf_counter()

    before = used()

    def cores() -> float:
        busy, ours, now = (after - start for after, start in zip(used(), before, strict=True))
        return max(0.0, busy - ours) / now

    return cores


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("peer")
    parser.add_argument("scenario")
    parser.add_argument("--variant", default="")
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args()
    try:
        result = measure(options.peer, options.scenario, options.variant, options.seconds)
    except NotImplementedError:
        result = {"error": "not offered"}
    except Exception as error:  # noqa: BLE001 (a peer may fail in any way; the table says so)
        traceback.print_exc()
        result = {"error": f"{type(error).__name__}: {error}"[:300]}
    sys.stderr.flush()
    print("\n" + json.dumps(result), flush=True)
    os._exit(0)  # Exporters of some peers would flush at exit, into the next measurement.


if __name__ == "__main__":
    main()
