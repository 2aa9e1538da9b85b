"""The program of an execution environment: `python bootstrap.py CONFIG`, started by the runtime.

CONFIG is a JSON object: events, results (file descriptors), handler, root, timeout (seconds),
name, memory (megabytes), arn, version, logGroup, logStream, parent (process id). `serving.py` has
the rest.

The folder's modules are loaded as a package of a name of its own: a user's folder may well have a
`functions` package, or modules named `context` and `log`, and they must get their own.
"""

import sys

PACKAGE = "_execution_environment"


def main() -> None:
    """Load the package beside this file, and serve."""
    if not sys.flags.safe_path:
        del sys.path[0]  # the folder of this file, where modules have common names
    package = type(sys)(PACKAGE)
    package.__path__ = [__file__.rpartition("/")[0]]
    sys.modules[PACKAGE] = package
    config = sys.argv.pop()
    __import__(f"{PACKAGE}.serving").serving.serve(config)


if __name__ == "__main__":  # false where a handler's `multiprocessing` loads this file again
    main()
