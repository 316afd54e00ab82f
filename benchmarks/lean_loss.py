"""Time of a training step of the tiny base: the lean loss beside the model's own, in turns, in one process.

By hand  python benchmarks/lean_loss.py [--steps 240]     (about two minutes on two cores; prints one table)
"""

import argparse
import itertools
import statistics
import sys
import time
from contextlib import nullcontext
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

from nightforge.blueprint import tiny_base
from nightforge.config.schema import TinyBase
from nightforge.ml import lean_llama

ROUNDS = 3


def step_time(kind: str, batches: list[dict[str, torch.Tensor]], tokenizer: object) -> float:
    """Train on all batches from the same start; returns the median seconds of a step."""
    tiny = TinyBase()
    torch.manual_seed(tiny.seed)
    model = tiny_base.new_model(tiny, tokenizer).train()
    optimizers = tiny_base._optimizers(model, tiny)
    seconds = []
    with lean_llama.lean(model) if kind == "lean" else nullcontext():
        for batch in batches:
            began = time.perf_counter()
            tiny_base._step(model, batch, optimizers)
            seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=240, help="steps of each turn")
    tiny = TinyBase()
    tokenizer = tiny_base.train_tokenizer(tiny)
    reading = tiny_base._batches(tokenizer, tiny, tiny_base.documents(tiny.seed + 1))
    batches = list(itertools.islice(reading, parser.parse_args().steps))
    tokens = sum(batch["input_ids"].numel() for batch in batches) / len(batches)
    print(f"{tokens:.0f} tokens a step, products in {lean_llama.product_dtype(torch.device('cpu'))}")
    print("| threads | the model's own loss, ms | lean loss, ms | ratio (each round) |\n|---|---|---|---|")
    for threads in sorted({1, torch.get_num_threads()}):
        torch.set_num_threads(threads)
        turns = [[step_time(kind, batches, tokenizer) for kind in ("own", "lean")] for _ in range(ROUNDS)]
        own, lean = (statistics.median(turn[i] for turn in turns) * 1000 for i in (0, 1))
        ratios = ", ".join(f"{a / b:.2f}" for a, b in turns)
        print(f"| {threads} | {own:.1f} | {lean:.1f} | {own / lean:.2f} ({ratios}) |", flush=True)


if __name__ == "__main__":
    main()
