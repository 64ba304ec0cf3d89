"""The base classes of models and of what resolves their names."""

from __future__ import annotations

from holdfast.definitions.model import Model, ModelProvider, ModelTracing

__all__ = ["Model", "ModelProvider", "ModelTracing"]
