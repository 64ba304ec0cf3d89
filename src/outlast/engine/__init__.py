"""Performing what a run needs, and remembering it: the loop, the effects, the owner's view of a log."""
