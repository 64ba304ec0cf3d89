"""Agents for pages, as AG-UI has it: a thread is a session, a run a run, an approval an interrupt.

The models of the protocol are those of `ag-ui-protocol`. The stream is a view of the log, so it can be
read again from the beginning: a run id that is known is not run again.
"""

from outlast.server.agui.route import router

__all__ = ["router"]
