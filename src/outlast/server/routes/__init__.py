"""The routes of each surface, one module for each."""
