"""One command a module: its options, and what it does with them."""
