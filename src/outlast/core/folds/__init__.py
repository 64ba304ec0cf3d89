"""The folds of a run's events, a room for each kind of event; `core/evolve.py` puts them together."""
