"""The command line from a process that has imported it once: 100 starts cost 100 forks, not 100
times two seconds of imports. A request is a line of JSON, {"arguments": [...], "seconds": how long
until it is killed, or null}; so is the answer, {"code": negative for a signal, "said": standard
error}.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import threading
import traceback

from suite import cli
from suite.machine import cores

cores.known_work = lambda: None  # what runs beside the tests makes no scripted cell disturbed


def run(arguments: list[str], seconds: float | None) -> dict:
    with tempfile.TemporaryFile() as said:
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_RDWR), 0)
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
            sys.argv = ["tribench", *arguments]
            code: object = 1
            try:
                cli.main()
            except SystemExit as end:
                code = end.code
            except BaseException:
                traceback.print_exc()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code if isinstance(code, int) else 0)
        timer = threading.Timer(seconds or 600, os.kill, (child, signal.SIGKILL))
        timer.start()
        _, status = os.waitpid(child, 0)
        timer.cancel()
        timer.join()
        said.seek(0)
        code = os.waitstatus_to_exitcode(status)
        return {"code": code, "said": said.read().decode(errors="replace")[-4000:]}


for line in sys.stdin:
    asked = json.loads(line)
    print(json.dumps(run(asked["arguments"], asked["seconds"])), flush=True)
