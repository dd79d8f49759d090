"""A process for the tests of helper processes: does as it is told."""

import os
import sys
import time
from typing import Any

from pipeline.errors import PipelineError
from pipeline.operations.helper_process import say, serve


def answer(question: dict[str, Any]) -> Any:
    match question["do"]:
        case "sleep":
            time.sleep(question["seconds"])
        case "end":
            os._exit(3)
        case "refuse":
            raise PipelineError("it cannot be done")
        case "fail":
            raise ValueError("a payload")
        case "chatter":
            print("what a library has to say")
        case "count":
            for number in range(question["to"]):
                say({"progress": {"at": number}})
        case "much":
            return "x" * question["bytes"]
        case "environment":
            return dict(os.environ)
    return {"process": os.getpid(), "echo": question}


if __name__ == "__main__":
    serve(answer, sys.stdin.buffer, idle_s=int(os.environ.get("IDLE_S", "60")))
