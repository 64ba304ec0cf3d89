"""One call of a model that may fail."""
