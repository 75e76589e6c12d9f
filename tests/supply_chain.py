"""What the project depends on: advisories about it, and the bill of materials.

    python -m tests.supply_chain audit   exit status 0: no advisory; 1: some; 2: nobody could say
    python -m tests.supply_chain sbom    writes build/sbom-*.cdx.json, of what is installed here

The tools of requirements-audit.txt are in build/audit (`make audit`, `make sbom` put them there).
The first asks PyPI and the npm registry.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from web_client.build_hook import node_binary, npm_of

__all__ = [
    "Unreachable", "audit_npm", "audit_python", "locks", "main", "requirements_of", "sbom_of",
]  # fmt: skip

ROOT: Final = Path(__file__).parents[1]
WEB: Final = ROOT / "server" / "web_client"
BUILD: Final = ROOT / "build"
TOOLS: Final = BUILD / "audit" / "bin"
_TIMEOUT_S: Final = 300
# What is distributed; all that it needs is found from there.
_SHIPPED: Final = ("batonbox-server", "batonbox")


class Unreachable(Exception):
    """The source of advisories gave no answer: nothing is known, which is no all-clear."""


def locks() -> list[Path]:
    """Every folder of ours that a lock file of npm is in."""
    found = ROOT.glob("**/package-lock.json")
    return sorted(p.parent for p in found if not {"node_modules", ".venv"} & set(p.parts))


def audit_python() -> list[str]:
    """The advisories about what is installed in this environment. Raises Unreachable."""
    site = sysconfig.get_path("purelib")
    answer = _run(
        _tool("pip-audit"), "--path", site, "--skip-editable",
        "--format", "json", "--progress-spinner", "off", "--timeout", "20",
    )  # fmt: skip
    try:
        found = json.loads(answer.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError) as error:
        raise Unreachable(f"pip-audit: {_last(answer.stderr)}") from error
    skipped = [f"{each['name']} ({each['skip_reason']})" for each in found if _skipped(each)]
    if skipped:  # it says "no known vulnerabilities" of what it could not ask about, too
        told = f"{len(skipped)} of {len(found)} packages could not be asked about"
        raise Unreachable(f"pip-audit: {told}, the first is {skipped[0]}")
    return [
        f"{each['name']} {each['version']}: {_advisory(each['vulns'])}"
        for each in found
        if each.get("vulns")
    ]


def _skipped(package: dict[str, Any]) -> bool:
    return "skip_reason" in package and canonicalize_name(package["name"]) not in _SHIPPED


def audit_npm(folder: Path) -> list[str]:
    """The advisories about what the folder's lock file names. Raises Unreachable."""
    answer = _npm(folder, "audit", "--package-lock-only", "--json", "--fetch-retries=1")
    try:
        found = json.loads(answer.stdout)
        vulnerable = found["vulnerabilities"]
    except (ValueError, KeyError, TypeError) as error:
        raise Unreachable(f"npm audit: {_message(answer)}") from error
    return [f"{name} {each['range']}: {each['severity']}" for name, each in vulnerable.items()]


def requirements_of(shipped: Iterable[str] = _SHIPPED) -> dict[str, str]:
    """What these distributions need, with all of their extras: names, and the versions here."""
    found: dict[str, str] = {}
    waiting = [(name, extra) for name in shipped for extra in ("", *_extras(name))]
    seen = set(waiting)
    while waiting:
        name, extra = waiting.pop()
        found[name] = metadata.version(name)
        for text in metadata.requires(name) or ():
            need = Requirement(text)
            if need.marker is not None and not need.marker.evaluate({"extra": extra}):
                continue
            own = canonicalize_name(need.name)
            for more in ("", *need.extras):
                if (own, more) not in seen and _installed(own):
                    seen.add((own, more))
                    waiting.append((own, more))
    return found


def _extras(name: str) -> list[str]:
    return metadata.metadata(name).get_all("Provides-Extra") or []


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False  # for another system, or an extra that nobody asked for
    return True


def sbom_of(shipped: Iterable[str] = _SHIPPED) -> dict[str, Any]:
    """What these distributions are made of, as CycloneDX; offline."""
    answer = _run(
        _tool("cyclonedx-py"), "environment", sys.executable, "--output-reproducible",
        "--of", "JSON", "--pyproject", str(ROOT / "pyproject.toml"),
    )  # fmt: skip
    if answer.returncode:
        raise SystemExit(f"*** no bill of materials: {_last(answer.stderr)}")
    sbom: dict[str, Any] = json.loads(answer.stdout)
    kept = requirements_of(shipped).keys()
    sbom["components"] = [c for c in sbom["components"] if canonicalize_name(c["name"]) in kept]
    refs = {c["bom-ref"] for c in sbom["components"]}
    refs |= {sbom["metadata"]["component"]["bom-ref"]}
    sbom["dependencies"] = [
        {**d, "dependsOn": [ref for ref in d.get("dependsOn", []) if ref in refs]}
        for d in sbom["dependencies"]
        if d["ref"] in refs
    ]
    return sbom


def main(words: list[str] | None = None) -> int:
    """The command; its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.supply_chain")
    parser.add_argument("what", choices=["audit", "sbom"])
    asked = parser.parse_args(words)
    return _audit() if asked.what == "audit" else _sbom()


def _audit() -> int:
    found: list[str] = []
    try:
        found += audit_python()
        for folder in locks():
            found += [f"{folder.relative_to(ROOT)}: {each}" for each in audit_npm(folder)]
    except Unreachable as error:
        print(f"*** NOT AUDITED: the source of advisories gave no answer. {error}", file=sys.stderr)
        return 2
    for each in found:
        print(f"*** ADVISORY: {each}", file=sys.stderr)
    print(f"{len(found)} packages with advisories")
    return 1 if found else 0


def _sbom() -> int:
    BUILD.mkdir(exist_ok=True)
    try:
        python = sbom_of()
    except Unreachable as error:
        raise SystemExit(f"*** {error}") from error
    answer = _npm(WEB, "sbom", "--package-lock-only", "--omit=dev", "--sbom-format=cyclonedx")
    if answer.returncode:
        raise SystemExit(f"*** no bill of materials of the page: {_last(answer.stderr)}")
    page = json.loads(answer.stdout)
    for name, sbom in (("python", python), ("page", page)):
        path = BUILD / f"sbom-{name}.cdx.json"
        path.write_text(json.dumps(sbom, indent=1) + "\n", encoding="utf-8")
        print(f"{path.relative_to(ROOT)}: {len(sbom['components'])} components")
    return 0


def _advisory(vulns: list[dict[str, Any]]) -> str:
    return ", ".join(
        f"{v['id']} (fixed in {', '.join(v.get('fix_versions') or ['no version'])})" for v in vulns
    )


def _tool(name: str) -> str:
    tool = TOOLS / name
    if not tool.exists():
        raise Unreachable(f"{name} is not installed: `make audit` and `make sbom` do that")
    return str(tool)


def _npm(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    node = node_binary()
    path = os.pathsep.join([str(node.parent), os.environ.get("PATH", os.defpath)])
    return _run(str(node), str(npm_of(node)), *words, cwd=folder, PATH=path)


def _run(*words: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words, cwd=cwd, env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=_TIMEOUT_S, check=False,
    )  # fmt: skip


def _message(answer: subprocess.CompletedProcess[str]) -> str:
    try:
        said = json.loads(answer.stdout)["message"]
    except (ValueError, KeyError, TypeError):
        return _last(answer.stderr)
    return str(said)


def _last(said: str) -> str:
    lines = [line for line in said.strip().splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"


if __name__ == "__main__":
    sys.exit(main())
