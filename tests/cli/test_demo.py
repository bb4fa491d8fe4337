from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

from tests.cli.command import BOUND, Weft
from weft.client import Client

NODES = [
    "start",
    "assigner",
    "if-else",
    "template-transform",
    "variable-aggregator",
    "question-classifier",
    "llm",
    "answer",
    "assigner",
]


def test_the_demo_shows_a_conversation_and_what_is_kept_of_it_whatever_the_settings(weft: Weft) -> None:
    weft.write("weft.toml", "[limits]\nmax_steps = 1\n")
    done = weft.run("demo", WEFT_MODELS_URL="http://127.0.0.1:9/v1", WEFT_PORT="1")
    assert (done.returncode, done.stderr) == (0, "")
    conversation, _, rest = done.stdout.partition("Trace of the last run: succeeded in ")
    assert "visitor: When are you open, and what does a ticket cost?\n" in conversation
    assert "desk:    Good to see you at the lighthouse! We are open from Wednesday to Sunday" in conversation
    assert "desk:    We have spoken about planning a visit. Four keepers shared the watch" in conversation
    trace, _, kept = rest.partition("What is kept\n")
    _, head, *rows = trace.strip().splitlines()
    assert head.split() == ["#", "node", "type", "status", "time", "tokens"]
    assert [row.partition(" succeeded ")[0].split()[-1] for row in rows] == NODES
    folder = weft.data / "demo"
    assert f"  database  {folder / 'weft.db'}\n" in kept
    assert "1 conversations, 2 messages, 2 runs, 19 node executions\n" in kept
    assert f"weft serve {folder / 'demo.yml'} --config {folder / 'demo.toml'} --data {folder}\n" in kept
    assert "curl -N http://127.0.0.1:8600/v1/chat-messages -H 'Authorization: Bearer app-" in kept

    check_a_second_demo(weft)


def check_a_second_demo(weft: Weft) -> None:
    """It keeps the rows of the first, writes word by word, and its server stays if asked to."""
    process = subprocess.Popen(
        [sys.executable, "-m", "weft", "demo", "--serve", "--data", str(weft.data / "demo")],
        cwd=weft.folder,
        env=weft.environ(),
        stdout=subprocess.PIPE,
    )
    watchdog = threading.Timer(BOUND, process.kill)
    watchdog.start()
    assert process.stdout is not None
    pieces = []
    while piece := os.read(process.stdout.fileno(), 65536):
        pieces.append(piece)
        if b"Serving." in b"".join(pieces):
            break
    output = b"".join(pieces).decode()
    url = output.partition("curl -N ")[2].partition("/chat-messages")[0]
    key = output.partition("Bearer ")[2].partition("'")[0]
    with Client(url, key) as client:
        answer = client.chat_messages("What is the best pizza?", user="u").answer
    process.send_signal(signal.SIGINT)
    assert process.wait(BOUND) == 0
    watchdog.cancel()
    process.stdout.close()
    assert len(pieces) > 50
    assert "2 conversations, 4 messages, 4 runs, 38 node executions\n" in output
    assert answer.startswith("Good to see you at the lighthouse! That is beyond a lighthouse.")
