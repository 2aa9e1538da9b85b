"""A handler's name, as in `module.function` or `folder/module.function`, to the handler itself.

Error types and their wording are those of AWS's runtime.
"""

import os
import sys

from .failures import LambdaError  # noqa: TID252 - the package has another name inside; see bootstrap.py

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def load(handler: str, root: str) -> "Callable[[Any, Any], Any]":
    """Import a handler from the folder `root`, which becomes the current one.

    Raises:
        LambdaError: there is no such handler.
        BaseException: whatever the module raises when it is imported.
    """
    os.chdir(root)
    sys.path.insert(0, root)
    module, dot, function = handler.rpartition(".")
    if not dot:
        reason = "not enough values to unpack (expected 2, got 1)"
        raise LambdaError("Runtime.MalformedHandlerName", f"Bad handler '{handler}': {reason}")
    _import(module)
    try:
        found: Callable[[Any, Any], Any] = getattr(sys.modules[module.replace("/", ".")], function)
    except AttributeError:
        raise LambdaError(
            "Runtime.HandlerNotFound", f"Handler '{function}' missing on module '{module}'"
        ) from None
    return found


def _import(module: str) -> None:
    if module.split(".")[0] in sys.builtin_module_names:
        raise LambdaError(
            "Runtime.BuiltInModuleConflict",
            f"Cannot use built-in module {module} as a handler module",
        )
    try:
        __import__(module.replace("/", "."))
    except ImportError as error:
        raise LambdaError(
            "Runtime.ImportModuleError", f"Unable to import module '{module}': {error}"
        ) from error
    except SyntaxError as error:
        place = f'  File "{error.filename}" Line {error.lineno}\n    {error.text}'
        raise LambdaError(
            "Runtime.UserCodeSyntaxError", f"Syntax error in module '{module}': {error}", [place]
        ) from error
