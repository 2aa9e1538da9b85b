"""What the manifests' tests share: files with a marked line, and the error that names it."""

import textwrap
from pathlib import Path

import pytest

from functions.runtime.manifest import FunctionSpec, Manifest, ManifestError, load

MANIFESTS = Path(__file__).with_name("manifests")
MARK = "# <--"
"""Stands on the line that an error must name."""

SERVERLESS = """\
service: home
provider: {name: aws, runtime: python3.11}
functions:
  f:
    handler: handler.run
"""
SAM = """\
Transform: AWS::Serverless-2016-10-31
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties:
      Handler: handler.run
      Runtime: python3.11
"""


def write(folder: Path, text: str, name: str = "serverless.yml") -> Path:
    """Write a manifest beside a handler.py with a function `run`."""
    (folder / "handler.py").write_text("def run(event, context): ...\n")
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def serverless(folder: Path, function: str = "", root: str = "", **options: str) -> Manifest:
    """Load a serverless.yml with one function `f`: more keys of it, and of the file."""
    text = (
        SERVERLESS
        + textwrap.indent(textwrap.dedent(function), "    ")
        + "\n"
        + textwrap.dedent(root)
    )
    return load(write(folder, text), options=options, environ={"HOME": "/home/me"})


def sam(folder: Path, function: str = "", root: str = "") -> Manifest:
    """Load a SAM template with one function `F`: more properties of it, and more of the file."""
    text = SAM + textwrap.indent(textwrap.dedent(function), "      ") + "\n" + textwrap.dedent(root)
    return load(write(folder, text, "template.yaml"), environ={})


def only(manifest: Manifest) -> FunctionSpec:
    """Return a manifest's one function."""
    (function,) = manifest.functions
    return function


def refused(folder: Path, text: str, name: str = "serverless.yml") -> ManifestError:
    """Return the error of a manifest, after checking that it names the file and the marked line."""
    path = write(folder, textwrap.dedent(text), name)
    with pytest.raises(ManifestError) as caught:
        load(path, environ={})
    error = caught.value
    lines = path.read_text().splitlines()
    marked: list[int | None] = [number for number, line in enumerate(lines, 1) if MARK in line]
    assert error.file == path
    assert (marked or [None]) == [error.line], str(error)
    assert str(error).startswith(f"{path}:")
    return error
