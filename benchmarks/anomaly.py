"""Figures of the anomaly track beside their goals: detection, calibration, attribution, speed.

By hand  python benchmarks/anomaly.py --data ../shared/data [--only skab,tep,...] [--seeds 3] [--held-out]
Reads    SKAB and TEP below --data (other sections make their own data), benchmarks/anomaly_recipe.json
Writes   tables on standard output, in Markdown

Settings are chosen on SKAB valve1, TEP faults 1 to 10 and the generators only. --held-out judges SKAB valve2
and other, and TEP faults 11 to 21, and refuses while code or recipe differ from the last commit.
"""

import argparse
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # before numpy: figures are those of one core unless they say otherwise

from anomaly_frame import Recipe, Results, header, read_recipe, refuse_uncommitted

from nightforge.core.errors import NightforgeError

SECTIONS = ("skab", "tep", "vibration", "calibration", "attribution", "scalogram", "scoring")
HELD_OUT = ("skab", "tep")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder with SKAB and TEP, any sub-folders")
    parser.add_argument("--only", default="", metavar="A,B", help=f"sections: {', '.join(SECTIONS)}")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=1_000_000, help="longest table of section scoring")
    parser.add_argument("--held-out", action="store_true", help="judge what no setting was chosen on")
    args = parser.parse_args()
    chosen = [name for name in args.only.split(",") if name] or list(HELD_OUT if args.held_out else SECTIONS)
    unknown = set(chosen) - set(HELD_OUT if args.held_out else SECTIONS)
    if unknown or args.seeds < 1:
        parser.error(f"no section {', '.join(sorted(unknown))}" if unknown else "--seeds must be 1 or more")
    if args.data is None and set(chosen) & set(HELD_OUT):
        parser.error("sections skab and tep need --data FOLDER")
    try:
        if args.held_out:
            refuse_uncommitted()
        recipe, results = read_recipe(), Results()
        header(recipe, args.seeds, args.held_out)
        for name in chosen:
            began = time.perf_counter()
            section(name, args, recipe, results)
            print(f"section {name}: {time.perf_counter() - began:.0f} s")
    except NightforgeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    results.show()
    return 1 if any(goal.met is False for goal in results.goals) else 0


def section(name: str, args: argparse.Namespace, recipe: Recipe, results: Results) -> None:
    """Run one section; each loads only what it needs."""
    if name == "skab":
        from anomaly_tables import skab_section

        skab_section(args.data, recipe, args.seeds, results, args.held_out)
    elif name == "tep":
        from anomaly_tables import tep_section

        tep_section(args.data, recipe, args.seeds, results, args.held_out)
    elif name == "vibration":
        from anomaly_vibration import vibration_section

        vibration_section(recipe, args.seeds, results)
    elif name in ("calibration", "attribution"):
        import anomaly_alarms

        getattr(anomaly_alarms, f"{name}_section")(recipe, args.seeds, results)
    else:
        import anomaly_speed

        getattr(anomaly_speed, f"{name}_section")(recipe, args.rows, results)


if __name__ == "__main__":
    sys.exit(main())
