"""Start a training pipeline that outlives the terminal; --status, --stop, --resume, --dry-run, --foreground.

The standard library alone reads the arguments and answers --status and --dry-run, so those two work at once,
even before the first installation.
"""

import sys


def main(argv: list[str]) -> int:
    if "--dry-run" in argv:
        sys.dont_write_bytecode = True  # it promises to touch nothing
    from nightforge.pipeline.options import parse_options

    options = parse_options(argv)
    if options.action not in ("status", "dry-run") or sys.platform != "linux":
        import bootstrap

        bootstrap.ensure(__file__)
    from nightforge.pipeline.launch import main as launch

    return launch(options, argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
