"""Every block of README and docs is run, or looked at and said to be left out, and why."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from batonbox_server.gen import ROOT
from tests.docs.blocks import PAGES, Block, Malformed, blocks_of, parsed
from tests.docs.kinds import CHECKS, REASONS, RUN, SHOWN, Wrong
from tests.docs.story import lives, told
from tests.programs import program
from tests.support import eventually

BLOCKS = [block for page in PAGES for block in blocks_of(page)]
TOLD = sorted({block.page for block in BLOCKS if block.kind in RUN})


def test_every_block_is_of_a_kind_that_is_looked_at() -> None:
    wrong = [f"{block}: {said}" for block in BLOCKS if (said := trouble_with(block))]
    assert not wrong, "\n".join(wrong)


def trouble_with(block: Block) -> str:
    """What is wrong with a block as it stands there, or with its marks; "" for nothing."""
    if block.kind not in CHECKS:
        return f"{block.kind!r} is none of {sorted(CHECKS)}"
    try:
        CHECKS[block.kind](block.text)
    except Wrong as error:
        return str(error)
    if "not run" in block.marks and block.kind not in RUN:
        return "nobody would run it"
    if block.marks.get("not run", "needs root") not in REASONS:
        return f"say one of {sorted(REASONS)}"
    if block.marks.keys() & {"goes on", "repeated"} and block.kind != "sh":
        return "only sh goes on, or is repeated"
    if "repeated" in block.marks and not any(shown_after(block)):
        return "say behind it what it prints in the end"
    path, _, test = block.marks.get("run by", "").partition("::")
    if path and f"def {test}(" not in (ROOT / path).read_text(encoding="utf-8"):
        return f"there is no test {path}::{test}"
    if "file" in block.marks and not any(
        Path(block.marks["file"]).stem in other.text
        for other in blocks_of(block.page)
        if other.line > block.line and other.kind == "sh"
    ):
        return "nothing uses that file afterwards"
    return ""


def shown_after(block: Block) -> Iterator[Block]:
    """The output that the page shows of it, if it does."""
    for before, after in pairwise(blocks_of(block.page)):
        if before == block and after.follows and after.kind in SHOWN:
            yield after


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("```fortran\nend\n```", "none of"),
        ("```\nend\n```", "none of"),
        ("```sh\nif\n```", "syntax error"),
        ("```python\ndef\n```", "invalid syntax"),
        ("```json\n{\n```", "Expecting"),
        ("```yaml\na: [\n```", "expected"),
        ("```toml\na =\n```", "value"),
        ("```dotenv\nBATONBOX_PROT=1\n```", "is not a setting"),
        ("```dotenv\nBATONBOX_PORT=many\n```", "must be a number"),
        ("```http\nGET /v1/nothing\n```", "no endpoint"),
        ('```http\nPUT /v1/retention {"external_days": "many"}\n```', "does not take"),
        ("```valkey\nmaxmemory-polite noeviction\n```", "Bad directive"),
        ("```javascript\nlet 1\n```", "SyntaxError"),
        ("<!-- goes on -->\n```python\n1\n```", "only sh"),
        ("<!-- not run: it is late -->\n```sh\ntrue\n```", "say one of"),
        ("<!-- not run: needs root -->\n```json\n{}\n```", "nobody would run it"),
        ("<!-- run by: tests/docs/test_site.py::test_nothing -->\n```sh\ntrue\n```", "no test"),
    ],
)
def test_a_block_that_is_not_what_it_says_is_noticed(text: str, says: str) -> None:
    (block,) = parsed(text + "\n")
    assert says in trouble_with(block)


def test_few_are_left_out() -> None:
    runnable = [block for block in BLOCKS if block.kind in RUN]
    reasons = Counter(b.marks["not run"] for b in runnable if "not run" in b.marks)
    assert reasons.keys() == REASONS, "a reason that no block has leaves the table"
    assert reasons.total() < len(runnable) / 4, reasons


@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", TOLD)
async def test_every_block_does_what_the_page_says(page: str, tmp_path: Path) -> None:
    program("curl", package="curl")
    await told(blocks_of(page), tmp_path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Do\n\n    make it\n", "indented code"),
        ("<!-- not rum: takes minutes -->\n```sh\ntrue\n```\n", "is no mark"),
        ("<!-- repeated -->\n\nThen\n", "before no block"),
        ("<!-- goes on -->\n", "before no block"),
    ],
)
def test_a_page_that_is_not_written_so_is_noticed(text: str, says: str) -> None:
    with pytest.raises(Malformed, match=says):
        parsed(text)


LASTING = """\
<!-- begins: nothing -->
```sh
sleep 600 &
echo $! > pid
```

<!-- repeated -->
```sh
echo no
```

```text
yes
```
"""


def test_nothing_outlives_tests_that_are_killed(tmp_path: Path) -> None:
    script = (
        "import asyncio, pathlib, sys\n"
        "from tests.docs.blocks import parsed\n"
        "from tests.docs.story import told\n"
        "asyncio.run(told(parsed(sys.argv[1]), pathlib.Path(sys.argv[2])))\n"
    )
    pid = tmp_path / "0" / "pid"
    with subprocess.Popen([sys.executable, "-c", script, LASTING, tmp_path], cwd=ROOT) as tests:
        try:
            until(lambda: pid.is_file() and pid.read_text().strip() != "")
        finally:
            tests.kill()
    until(lambda: not lives(int(pid.read_text())))


def until(condition: Callable[[], bool]) -> None:
    """Fails after half a minute."""

    async def waiting() -> None:
        await eventually(condition, timeout_s=30)

    asyncio.run(waiting())


async def test_no_page_writes_into_the_repository(tmp_path: Path) -> None:
    mark = "<!-- begins: nothing -->\n<!-- file: docs/index.md -->\n"
    with pytest.raises(Malformed, match="into the repository"):
        await told(parsed(f"{mark}```sh\ntrue\n```\n"), tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "```sh\nfalse\n```\n",
        "```sh\necho Ho\n```\n\n```text\nHi …\n```\n",
        '```sh\necho \'{"items": []}\'\n```\n\n```json\n{"items": [1]}\n```\n',
        "```python\nraise SystemExit(3)\n```\n",
        "```python\nawait conv.reply('x')\nassert conv.now.status == 'done'\n```\n",
        "```python\ndef test_it():\n    assert False\n```\n",
        "<!-- goes on -->\n```sh\nfalse\n```\n",
    ],
)
async def test_what_does_not_happen_as_shown_is_noticed(text: str, tmp_path: Path) -> None:
    begins = "" if "await" in text else "<!-- begins: nothing -->\n"
    with pytest.raises(AssertionError):
        await told(parsed(begins + text), tmp_path)
