"""What spinning threads cost: a training step by how OpenMP's threads wait, on an idle and on a busy machine.

By hand  python benchmarks/waiting_threads.py              as the machine is
         python benchmarks/waiting_threads.py --busy 3     beside so many processes that compute without pause
"""

import argparse
import os
import subprocess
import sys

STEPS = 60
_BUSY = "while True: pass"
_MEASURED = f"""
import time, torch
torch.set_num_threads(2)
blocks = [torch.nn.Linear(128, 256), torch.nn.GELU(), torch.nn.Linear(256, 128)]
model = torch.nn.Sequential(*blocks * 4)
optimizer, rows = torch.optim.AdamW(model.parameters()), torch.randn(736, 128)  # 8 rows of 92 tokens
def step():
    optimizer.zero_grad(); model(rows).square().mean().backward(); optimizer.step()
for _ in range(10): step()
wall, cpu = time.perf_counter(), time.process_time()
for _ in range({STEPS}): step()
wall, cpu = ((now - then) / {STEPS} * 1000 for now, then in
             ((time.perf_counter(), wall), (time.process_time(), cpu)))
print(f"{{wall:8.1f}} ms a step, {{cpu:8.1f}} ms of processor time")
"""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--busy", type=int, default=0)
    args = parser.parse_args()
    busy = [subprocess.Popen([sys.executable, "-c", _BUSY]) for _ in range(args.busy)]
    try:
        for wait in ("", "PASSIVE"):
            environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
            if wait:
                environment["OMP_WAIT_POLICY"] = wait
            print(f"{wait or 'default':<8}", end=" ", flush=True)
            subprocess.run([sys.executable, "-c", _MEASURED], env=environment, check=True)
    finally:
        for process in busy:
            process.kill()
            process.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
