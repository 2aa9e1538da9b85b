"""From a path to a manifest: finds the file, and asks whichever reader is its."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from functions.runtime.manifest import checks, sam, serverless
from functions.runtime.manifest.errors import ManifestError
from functions.runtime.manifest.model import Manifest
from functions.runtime.manifest.nodes import Node, is_there, read

SERVERLESS_NAMES = ("serverless.yml", "serverless.yaml")
SAM_NAMES = ("template.yaml", "template.yml")

_HANDLER = re.compile(rb"^def (lambda_handler|handler)\(", re.MULTILINE)
_SMALLEST = """\
service: my-service
provider:
  name: aws
  runtime: python3.11
functions:
  {name}:
    handler: {name}.{function}
    events:
      - iot:
          sql: "SELECT * FROM 'iotbutton/+'\""""


def load(
    path: Path,
    *,
    options: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Manifest:
    """Read a manifest: a serverless.yml or a SAM template, or the folder that one is in.

    `options`: what `${opt:NAME}` gives, such as a stage. `environ`: what `${env:NAME}` gives, and
    the region of a SAM template; None: this process's environment.

    Raises:
        ManifestError: whatever is wrong; with line and dotted key where it is in the file.
    """
    environ = os.environ if environ is None else environ
    root = read(_found(path) if is_there(path, folder=True) else path)
    if _is_sam(root):
        manifest = sam.read(root, environ=environ)
    else:
        manifest = serverless.read(root, options=options or {}, environ=environ)
    if not manifest.functions:
        raise _without_functions(root)
    checks.unique(manifest.functions)
    return manifest


def _without_functions(root: Node) -> ManifestError:
    key = "Resources" if "Resources" in root.keys else "functions"
    kind = (
        "an AWS::Serverless::Function" if key == "Resources" else "one: NAME: {handler: FILE.DEF}"
    )
    place = root.keys.get(key, root.place)
    problem = "there is no function in this manifest"
    return ManifestError(problem, file=place.file, place=place, key=key, mend=f"add {kind}")


def _is_sam(root: Node) -> bool:
    if not isinstance(root.value, dict):
        file = root.place.file
        raise ManifestError("neither a serverless.yml nor a SAM template", file=file)
    if root.value.keys() & {"service", "provider", "functions"}:
        return False
    sam_keys = {"Transform", "Resources", "AWSTemplateFormatVersion", "Globals"}
    return bool(root.value.keys() & sam_keys) or root.place.file.name in SAM_NAMES


def _found(folder: Path) -> Path:
    names = (*SERVERLESS_NAMES, *SAM_NAMES)
    found = [folder / name for name in names if is_there(folder / name)]
    if len(found) > 1:
        both = " and ".join(file.name for file in found)
        mend = f"name one of them: --manifest {found[0]}"
        raise ManifestError(f"there are {both} in this folder", file=folder, mend=mend)
    if not found:
        mend = _smallest(folder) or f"a manifest is one of {', '.join(names)}"
        raise ManifestError("there is no manifest in this folder", file=folder, mend=mend)
    return found[0]


def _smallest(folder: Path) -> str:
    """Write the manifest that the folder's one handler lacks; empty where there is not just one."""
    handlers = [
        (file.stem, match[1].decode())
        for file in sorted(folder.glob("*.py"))
        if is_there(file)
        if os.access(file, os.R_OK) and (match := _HANDLER.search(file.read_bytes()))
    ]
    if len(handlers) != 1:
        return ""
    name, function = handlers[0]
    example = _SMALLEST.format(name=name, function=function)
    indented = example.replace("\n", "\n    ")
    return f"write this into {folder / SERVERLESS_NAMES[0]}:\n\n    {indented}"
