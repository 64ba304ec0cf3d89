"""The ASGI app: agents, a worker, and the routes over them. It can stand alone or be mounted.

An app that is mounted in another one is not told when that begins, so it begins at its first request;
`FastAPI(lifespan=app.lifespan)` says it plainly.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Literal, TypeAlias, get_args
from urllib.parse import quote

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route

from outlast.core.errors import AgentsException, UserError
from outlast.definitions.agent import Agent
from outlast.definitions.clock import wall_s
from outlast.definitions.given import names_of
from outlast.definitions.logger import logger
from outlast.effects.config import RunConfig
from outlast.engine.elsewhere import RunsElsewhere
from outlast.journal.journal import Journal, RunSummary
from outlast.run.request import journal_of
from outlast.run.servers import connected_servers
from outlast.server.callers import Authenticate, Caller, LocalToken
from outlast.server.chunks import CHUNKS, Chunks
from outlast.server.database import Database
from outlast.server.keys import ApiKeys
from outlast.server.metrics import Metrics
from outlast.server.openai import chat, conversations, models, responses
from outlast.server.problems import on_error
from outlast.server.registry import Agents
from outlast.server.routes import (
    agents as agent_routes,
    approvals,
    chat_page,
    events,
    forks,
    health,
    reports,
    runs,
    schedules as schedule_routes,
    sessions,
    simple_chat,
    socket,
    spending,
    webhooks as webhook_routes,
)
from outlast.server.schedules.schedule import Schedule
from outlast.server.schedules.scheduler import Scheduler
from outlast.server.schedules.store import SCHEDULES, Schedules
from outlast.server.service import Service
from outlast.server.settings import check_settings, hosts_of, origins_of, require_agents
from outlast.server.shield import LOOPBACK, Limits, Receive, Scope, Send, Shield
from outlast.server.slots import SLOTS, Slots
from outlast.server.webhooks.deliverer import Deliverer
from outlast.server.webhooks.store import WEBHOOKS, Webhooks
from outlast.server.worker import Worker
from outlast.sessions.sqlite import SQLiteSession
from outlast.version import __version__

Surface: TypeAlias = Literal["openai", "a2a", "ag-ui"]
MakeContext: TypeAlias = Callable[[Caller, Any], Any | Awaitable[Any]]
Auth: TypeAlias = Literal["local"] | Authenticate
Hook: TypeAlias = Callable[[], Any | Awaitable[Any]]
_ROUTERS = (
    health.router,
    agent_routes.router,
    runs.router,
    events.router,
    approvals.router,
    sessions.router,
    schedule_routes.router,
    reports.router,
    forks.router,
    spending.router,
    webhook_routes.router,
    simple_chat.router,
    socket.router,
)
_SURFACES = {"openai": (models.router, chat.router, responses.router, conversations.router)}
"""The APIs of others, each with its routers."""
_EXPOSED = ["Location", "Retry-After", "Outlast-Run-Id", "X-Request-Id", "Idempotency-Replayed"]


class App:
    """Agents as an ASGI app.

        app = App(agents=[triage, refunds])

    Args:
        agents: Those that runs can begin with.
        auth: ``"local"`` lets in whoever knows the token in the journal's folder; else a function of the
            request that returns its `Caller`, or None.
        cors: The origins of pages that may ask, exactly; none by default.
        expose: The APIs of others that are served beside our own.
        context: Makes the context of a run, of who asks for it and what they sent as ``context``. Whoever
            goes on with the run after a crash has it made again.
        session: Makes the session of an id; by default a `SQLiteSession` in the journal's folder. The id
            is the caller's, behind ``"TENANT/"`` where they have one.
        journal: Where runs are kept, as in `RunConfig`.
        engine: In place of a journal: who performs runs, as in `Runner.run`. With a `TemporalEngine`, the
            workers of the cluster do, and this process takes requests only.
        run_config: Settings of all runs.
        hosts: The names that the server goes by, beside those of this machine; ``"*"`` for any.
        schedules: What begins by the clock, in whichever process of the server looks at it first.
        concurrency: Runs that are performed at a time.
        max_concurrent: How many runs of an agent are performed at a time, by its name, in all processes of
            this machine together.
        queues: The queue of an agent, by its name: a worker of some queues performs no other runs.
        webhooks_reach_private: Whether webhooks may go into private networks, and without TLS. Say so only
            where whoever makes webhooks may ask what is there.
        performs: Whether runs are performed here, and not by other workers only.
        grace_s: Seconds that runs get to end what they do, when the server is told to stop.
        limits: How much of a request is read.
        on_start: Called when the app begins.
        on_stop: Called when it ends.

    Raises:
        UserError: Two agents would have one address, a setting is none, or it names an agent that is not
            among them.
    """

    def __init__(  # noqa: PLR0913  # settings, each by its name
        self,
        agents: Sequence[Agent[Any]] = (),
        *,
        auth: Auth = "local",
        cors: Sequence[str] = (),
        expose: Iterable[Surface] = ("openai",),
        context: MakeContext | None = None,
        session: Callable[[str], Any] | None = None,
        journal: Journal | str | None = None,
        engine: RunsElsewhere | None = None,
        run_config: RunConfig | None = None,
        hosts: Iterable[str] = (),
        schedules: Sequence[Schedule] = (),
        concurrency: int = 50,
        max_concurrent: Mapping[str, int] | None = None,
        queues: Mapping[str, str] | None = None,
        webhooks_reach_private: bool = False,
        performs: bool = True,
        grace_s: float = 20.0,
        limits: Limits | None = None,
        on_start: Sequence[Hook] = (),
        on_stop: Sequence[Hook] = (),
    ) -> None:
        check_settings({**locals()})
        self.agents = Agents(agents)
        self.auth: Auth = auth
        self.hosts = hosts_of(hosts)
        self.grace_s = grace_s
        self._config = run_config or RunConfig()
        own = engine.journal if engine is not None else self._config.journal
        self._journal = own if journal is None else journal
        self._session, self._context = session, context
        self.concurrency = concurrency
        self.performs = performs and engine is None
        self._reaches_private = webhooks_reach_private
        self.served_queues: frozenset[str] | None = None
        self._queues, self._limits_of = dict(queues or {}), dict(max_concurrent or {})
        self._hooks = (tuple(on_start), tuple(on_stop))
        self._limits = limits or Limits()
        self.metrics = Metrics()
        self._service: Service | None = None
        self._schedules = tuple(schedules)
        self._tasks: list[asyncio.Task[None]] = []
        self._open = AsyncExitStack()
        self._starting = asyncio.Lock()
        self._local: LocalToken | None = None
        self._require_agents(are_all=False)
        self.api = self._api(origins_of(cors), expose)

    # --- The agents. ---------------------------------------------------------------------

    def register(self, name: str, agent: Agent[Any]) -> None:
        """Serve another agent."""
        self.agents.add(agent, name)

    def get(self, name: str) -> Agent[Any] | None:
        """The agent of that name; None if there is none."""
        return self.agents.find(name)

    def list_agents(self) -> list[str]:
        """The addresses of all agents."""
        return sorted(self.agents.slugs())

    def show_chat(self) -> None:
        """Serve a page to talk with the agents in a browser, at the root."""
        self.api.include_router(chat_page.router)

    # --- The app. ------------------------------------------------------------------------

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what an ASGI server has received."""
        if scope["type"] == "lifespan":
            await self.api(scope, receive, send)
            return
        await self.start()
        hosts = frozenset[str]() if "*" in self.hosts else LOOPBACK | self.hosts
        await Shield(self.api, hosts, self._limits, self.metrics.request)(scope, receive, send)

    @asynccontextmanager
    async def lifespan(self, _: Any = None) -> AsyncGenerator[None]:
        """The time in which the app serves: runs are performed in it, and put down at its end."""
        await self.start()
        restore = self._listen_for_signals()
        try:
            yield
        finally:
            restore()
            await self.stop()

    async def start(self) -> None:
        """Begin, if that has not happened yet."""
        async with self._starting:
            if self._service is not None:
                return
            self._require_agents()
            service = self._made()
            if service.performs:
                agents = self.agents.by_name.values()
                await self._open.enter_async_context(connected_servers(*agents))
            self._service = self.api.state.service = service
            self._begin_own(service)
            self.api.state.metrics = self.metrics
            service.worker.metrics = self.metrics
            self.api.state.authenticate = self.authenticate
            for hook in self._hooks[0]:
                await _called(hook)
            live = Database(self.folder() / "live.db", CHUNKS, survives_power_cuts=False)
            sharing = service.worker.live.share(Chunks(live))
            works = (self.scheduler.work(), self.deliverer.work(), sharing)
            self._tasks = [asyncio.create_task(work) for work in works]
            if service.performs:
                self._tasks.append(asyncio.create_task(service.worker.work()))
            for task in self._tasks:
                task.add_done_callback(_say_why)

    def leave(self) -> None:
        """Take no new work, tell those who read streams, and begin nothing more of what is performed."""
        if self._service is not None:
            self._service.leaving.set()
            self._service.worker.put_down()

    async def stop(self) -> None:
        """Leave, wait for what is performed as long as the grace is, and end."""
        service, self._service = self._service, None
        if service is None:
            return
        service.leaving.set()
        await service.worker.drain(self.grace_s)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._open.aclose()
        for hook in self._hooks[1]:
            await _called(hook)

    @property
    def service(self) -> Service:
        """What the routes ask.

        Raises:
            UserError: The app has not begun.
        """
        if self._service is None:
            raise UserError("The app has not begun. Serve it, or enter `app.lifespan()`.")
        return self._service

    @property
    def token(self) -> str:
        """The local token; empty where callers are known otherwise."""
        return self._known_locally().token if self.auth == "local" else ""

    @property
    def authenticate(self) -> Authenticate:
        """What says who a request is from."""
        if isinstance(self.auth, str):
            return self._known_locally()
        if isinstance(self.auth, ApiKeys) and self.auth.file is None:
            self.auth.file = self.folder() / "keys.db"
        return self.auth

    def _known_locally(self) -> LocalToken:
        self._local = self._local or LocalToken(self.folder() / "server.token")
        return self._local

    def folder(self) -> Path:
        """Where the server keeps what is not in the journal: the token, and sessions."""
        path: Any = getattr(self._open_journal(), "path", None)
        return (
            path.parent
            if isinstance(path, Path)
            else Path(os.environ.get("OUTLAST_HOME", ".outlast"))
        )

    def _open_journal(self) -> Journal:
        return journal_of(RunConfig(journal=self._journal))

    def _require_agents(self, *, are_all: bool = True) -> None:
        if not (are_all or self.agents.by_name):
            return  # They are registered later.
        by_agent = {"max_concurrent": self._limits_of, "queues": self._queues}
        require_agents(self.agents, self._schedules, by_agent)

    def _made(self) -> Service:
        journal = self._open_journal()
        worker = Worker(self.agents, journal, self._config, concurrency=self.concurrency)
        worker.session = lambda run: (
            None
            if run.metadata.session_id is None
            else self._session_of(run.metadata.session_id, run.metadata.tenant)
        )
        if self._context is not None:
            worker.context = self._context_of
        return Service(
            self.agents, journal, worker, self._config, self._session_of, performs=self.performs
        )

    def _begin_own(self, service: Service) -> None:
        """Open the server's own file: schedules, webhooks, and who performs what has a limit."""
        tables = SCHEDULES + SLOTS + WEBHOOKS + conversations.CONVERSATIONS
        database = self.api.state.database = Database(self.folder() / "server.db", tables)
        schedules = Schedules(database, self._schedules)
        schedules.begin(wall_s())
        if self._limits_of:
            service.worker.slots = Slots(database, self._limits_of)
        service.worker.queue_of, service.worker.queues = self._queues, self.served_queues
        self.scheduler = self.api.state.scheduler = Scheduler(service, schedules)
        self.deliverer = self.api.state.deliverer = Deliverer(
            service, Webhooks(database), reaches_private=self._reaches_private
        )

    def _session_of(self, session_id: str, tenant: str | None) -> Any:
        # Two tenants may choose one id.
        mine = session_id if tenant is None else f"{quote(tenant, safe='')}/{session_id}"
        return (self._session or self._own_session)(mine)

    def _own_session(self, session_id: str) -> SQLiteSession:
        return SQLiteSession(session_id, self.folder() / "sessions.db")

    def _context_of(self, run: RunSummary) -> Any:
        who, sent = run.metadata, run.metadata.request
        assert self._context is not None
        return self._context(Caller(who.user or "", who.tenant), json.loads(sent) if sent else None)

    def _api(self, cors: Sequence[str], expose: Iterable[Surface]) -> FastAPI:
        surfaces = frozenset(names_of("App(expose=...)", expose))
        api = FastAPI(
            title="Outlast",
            version=__version__,
            lifespan=self.lifespan,
            docs_url=None,  # Its page loads scripts of others.
            redoc_url=None,
            redirect_slashes=False,
        )
        for router in _ROUTERS:
            api.include_router(router)
        if unknown := surfaces - {*get_args(Surface)}:
            known = ", ".join(map(repr, get_args(Surface)))
            raise UserError(f"expose takes {known}, got {', '.join(sorted(unknown))}.")
        for surface in sorted(surfaces):
            for router in _SURFACES.get(surface, ()):
                api.include_router(router)
        if "a2a" in surfaces:
            _mount_a2a(api, self.agents)
        if "ag-ui" in surfaces:
            _include_agui(api)
        for kind in (AgentsException, HTTPException, RequestValidationError, Exception):
            api.add_exception_handler(kind, on_error)
        if cors:
            api.add_middleware(
                CORSMiddleware,
                allow_origins=list(cors),
                allow_methods=["GET", "POST", "DELETE"],
                allow_headers=[
                    "Authorization",
                    "X-API-Key",
                    "Content-Type",
                    "Idempotency-Key",
                    "Last-Event-ID",
                ],
                expose_headers=_EXPOSED,
            )
        return api

    def _listen_for_signals(self) -> Callable[[], None]:
        """Hear a signal before the server does: that waits for open streams before it ends the app."""
        before: dict[int, Any] = {}

        def heard(number: int, frame: FrameType | None) -> None:
            self.leave()
            handler = before.get(number)
            if callable(handler):
                handler(number, frame)

        try:
            for number in (signal.SIGTERM, signal.SIGINT):
                before[number] = signal.signal(number, heard)
        except ValueError:  # Not in the main thread.
            return lambda: None

        def restore() -> None:
            for number, handler in before.items():
                if signal.getsignal(number) is heard:
                    signal.signal(number, handler)

        return restore


def _mount_a2a(api: FastAPI, agents: Agents) -> None:
    try:
        from outlast.server.a2a import A2A  # Brings some twenty packages.
    except ImportError as error:
        raise UserError(
            "'a2a' needs a2a-sdk: pip install '.[a2a]' in a clone of Outlast."
        ) from error
    api.mount("/a2a", A2A(agents))
    api.router.routes.append(Route("/.well-known/agent-card.json", A2A(agents)))


def _include_agui(api: FastAPI) -> None:
    try:
        from outlast.server.agui import router
    except ImportError as error:
        raise UserError(
            "'ag-ui' needs ag-ui-protocol: pip install '.[ag-ui]' in a clone of Outlast."
        ) from error
    api.include_router(router)


def _say_why(task: asyncio.Task[None]) -> None:
    """What works in the background ends with the app. If it has not, nobody else would say why."""
    if not task.cancelled() and (error := task.exception()):
        logger.error(
            "A server stopped a part of its work of %s.", type(error).__name__, exc_info=error
        )


async def _called(hook: Hook) -> None:
    made = hook()
    if inspect.isawaitable(made):
        await made
