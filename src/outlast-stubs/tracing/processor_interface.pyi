# Written by `python tests/public_names.py`. The module has no file.
from outlast.tracing.interface import NO_OP_ID as NO_OP_ID
from outlast.tracing.interface import Span as Span
from outlast.tracing.interface import SpanError as SpanError
from outlast.tracing.interface import TSpanData as TSpanData
from outlast.tracing.interface import Trace as Trace
from outlast.tracing.interface import TracingExporter as TracingExporter
from outlast.tracing.interface import TracingProcessor as TracingProcessor
