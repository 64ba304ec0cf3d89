"""The demo: a support desk that is killed in the middle of a refund, and goes on.

`desk` is the program that a user would write; `model` stands in for a real model, `worker` is the
process that is killed, `screen` starts it, twice, and shows what the log says.
"""
