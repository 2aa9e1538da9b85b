"""Manifests: `load` a serverless.yml or a SAM template into the records of `model`."""

from functions.runtime.manifest.errors import ManifestError
from functions.runtime.manifest.loading import load
from functions.runtime.manifest.model import FunctionSpec, Manifest

__all__ = ["FunctionSpec", "Manifest", "ManifestError", "load"]
