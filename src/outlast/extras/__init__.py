"""Parts that a program asks for by name: each is imported alone, and none is needed by a run."""
