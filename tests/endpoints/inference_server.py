"""Serve a tiny random model with llama.cpp's own server: ``python inference_server.py DIRECTORY``.

Prints its address in one line, and serves until its standard input is closed.
"""

from __future__ import annotations

import sys
from pathlib import Path

import tiny_model
import xllamacpp


def main() -> None:
    path = Path(sys.argv[1]) / "nothing-learnt.gguf"
    tiny_model.write(str(path))
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.model_alias = {"nothing-learnt"}
    params.n_ctx = tiny_model.CONTEXT
    params.n_parallel = 2
    params.use_jinja = True
    params.warmup = False
    # Threads that wait for each other in a loop are slow on a busy machine, and the model is tiny.
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    # Every token stays possible; the usual filters would leave only the likeliest.
    params.sampling.temp, params.sampling.top_k = 1.0, 0
    params.sampling.top_p, params.sampling.min_p = 1.0, 0.0
    params.sampling.seed = tiny_model.SEED
    server = xllamacpp.Server(params)
    print(f"serves at {server.listening_address}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
