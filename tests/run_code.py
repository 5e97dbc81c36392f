"""Runs code that is given as an argument, as `python -c` does: `python -m tests.run_code CODE ...`."""

import sys

if __name__ == "__main__":
    code = sys.argv.pop(1)
    exec(compile(code, "<given>", "exec"), {"__name__": "__given__"})
