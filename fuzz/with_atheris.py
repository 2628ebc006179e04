"""The coverage-guided engine: libFuzzer with Jitney instrumented. `python -m fuzz.with_atheris TARGET [libFuzzer's …]`.

libFuzzer ends the process itself, so what it says on standard error is read by whoever started it.
"""

import random
import sys
from importlib.util import find_spec
from typing import Final

_LONGEST: Final = 4096
"""Bytes of an input: more is slow with every branch watched, and our own engine makes longer ones."""

_OURS: Final = 3
"""Of so many mutations one is libFuzzer's own, the others are ours, which know the parts of an input."""

_MOST_SEEN: Final = 500


def available() -> bool:
    """Tell whether atheris is installed: there are wheels for some Pythons on x86-64 only."""
    return find_spec("atheris") is not None


def main() -> None:
    """Fuzz until libFuzzer ends the process."""
    import atheris  # noqa: PLC0415 - not everywhere

    with atheris.instrument_imports(include=["jitney"]):
        from fuzz.targets import target  # noqa: PLC0415 - what is imported here is instrumented

        name = sys.argv[1]
        found = target(name)
    from fuzz.mutate import Mutator  # noqa: PLC0415 - what is imported above is instrumented
    from fuzz.oracle import Guard  # noqa: PLC0415
    from fuzz.work import quiet  # noqa: PLC0415

    guard = Guard(found)
    source = random.Random(0)  # noqa: S311 - guards nothing
    mutator = Mutator(source, found.WORDS)
    seen: list[bytes] = [b""]

    def mutated(data: bytes, most: int, seed: int) -> bytes:
        source.seed(seed)
        if source.randrange(_OURS) == 0:
            return bytes(atheris.Mutate(data, most))
        other = source.choice(seen)
        if len(seen) < _MOST_SEEN:
            seen.append(data)
        return mutator.mutated(data, other)[:most]

    quiet()
    atheris.Setup([sys.argv[0], *sys.argv[2:], f"-max_len={_LONGEST}"], guard.one, custom_mutator=mutated)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
