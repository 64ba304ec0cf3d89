# Written by `python tests/public_names.py`. The module has no file.
