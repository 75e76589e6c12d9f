"""Fuzzing by coverage, with atheris: each target in a process of its own, for some seconds.

    python -m tests.fuzz [--seconds S] [TARGET...]

What breaks a target is kept in build/fuzz/; add it to SEEDS once it is mended.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

BUILD = Path(__file__).parents[2] / "build" / "fuzz"


def main() -> int:
    """The command; its exit status is 1 when a target broke."""
    if sys.argv[1:2] == ["--inside"]:
        return _inside(sys.argv[2], int(sys.argv[3]))
    from tests.fuzz.targets import TARGETS

    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--seconds", type=int, default=60, help="for each target; 60")
    parser.add_argument("targets", nargs="*", help=", ".join(TARGETS))
    asked = parser.parse_args()
    if unknown := set(asked.targets) - TARGETS.keys():
        parser.error(f"no target {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    broken = []
    for name in asked.targets or TARGETS:
        print(f"--- {name}", flush=True)
        words = [sys.executable, "-m", "tests.fuzz", "--inside", name, str(asked.seconds)]
        if subprocess.run(words, check=False).returncode:
            broken.append(name)
    print(f"broken: {', '.join(broken)}; see {BUILD}" if broken else "nothing broke")
    return 1 if broken else 0


def _inside(name: str, seconds: int) -> int:
    import atheris  # only `make fuzz` has it

    with atheris.instrument_imports(include=["batonbox_server"]):
        from tests.fuzz.targets import SEEDS, TARGETS
    corpus = BUILD / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS.get(name, ())):
        (corpus / f"seed-{number}").write_bytes(seed)
    target = TARGETS[name]
    words = [sys.argv[0], str(corpus), f"-max_total_time={seconds}", "-max_len=4096",
             f"-artifact_prefix={BUILD}/{name}-", "-verbosity=0"]  # fmt: skip
    atheris.Setup(words, target)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
