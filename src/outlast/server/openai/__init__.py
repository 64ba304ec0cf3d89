"""Agents behind OpenAI's API: what speaks to a model there speaks to an agent here.

`said` reads what an agent has said from a log; `chat` and `responses` put that into the words of the two
APIs. Neither keeps anything: an id names a run.
"""
