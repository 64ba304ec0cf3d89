"""Starting, watching and resuming runs: what users call."""
