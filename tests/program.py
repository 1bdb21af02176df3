"""The program `whistle`, each time in a process of its own; they are forked from one that has imported it all."""

import multiprocessing
import os
import sys
import tempfile
from pathlib import Path
from subprocess import CompletedProcess

from tests.patience import PATIENCE
from whistle.cli.main import ACTORS, main

FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload([__name__, *(f"whistle.cli.{actor}" for actor in ACTORS)])
STREAMS = {"in": os.O_RDONLY, "out": os.O_WRONLY, "err": os.O_WRONLY}


def run(*arguments: str, input: bytes = b"") -> "CompletedProcess[bytes]":
    """What a command says and how it ends, in this folder and with this environment."""
    with tempfile.TemporaryDirectory() as folder:
        for name in STREAMS:
            (Path(folder) / name).write_bytes(input if name == "in" else b"")
        given = (arguments, folder, str(Path.cwd()), dict(os.environ))
        process = FORKING.Process(target=_begin, args=given)
        process.start()
        process.join(PATIENCE)
        assert process.exitcode is not None, arguments
        out, err = ((Path(folder) / name).read_bytes() for name in ("out", "err"))
        return CompletedProcess(arguments, process.exitcode, out, err)


def _begin(arguments: list[str], folder: str, place: str, environment: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    for number, (name, how) in enumerate(STREAMS.items()):
        os.dup2(os.open(f"{folder}/{name}", how), number)
    os.chdir(place)
    sys.argv = ["whistle", *arguments]
    main()
