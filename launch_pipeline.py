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
    if sys.platform not in ("linux", "win32") or options.action not in ("status", "dry-run"):
        import bootstrap

        bootstrap.ensure(__file__)
    if options.action == "status":  # not through `launch`, whose imports take longer than the answer
        from nightforge.core.paths import Project
        from nightforge.pipeline.status import print_status

        return print_status(Project.find(), options.json)
    from nightforge.pipeline.launch import main as launch

    return launch(options, argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
