"""The chaos kit: programs that are killed at every append, and what must hold afterwards."""
