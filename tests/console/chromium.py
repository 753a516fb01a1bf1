"""A real browser without a window, spoken to over a pipe in its own language (the Chrome DevTools Protocol)."""

from __future__ import annotations

import json
import os
import selectors
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

PATIENCE_S = 12.0
OPTIONS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update"),
)
WIRED = """
import fcntl, os, sys
far = [fcntl.fcntl(int(given), fcntl.F_DUPFD, 10) for given in sys.argv[1:3]]
for fd, given in zip((3, 4), far):
    os.dup2(given, fd)
os.execvp(sys.argv[3], sys.argv[3:])
"""
"""The browser reads its orders from descriptor 3 and answers on descriptor 4."""

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "headless_shell")


def executable() -> str | None:
    return next((found for found in map(shutil.which, NAMES) if found), None)


class Chromium:
    """``complaints`` holds every message of the page's console and every exception that nobody caught."""

    def __init__(self, send: int, receive: int) -> None:
        self._send = send
        self._receive = receive
        self._selector = selectors.DefaultSelector()
        self._selector.register(receive, selectors.EVENT_READ)
        self._bytes = b""
        self._last_id = 0
        self._page = ""
        self.complaints: list[str] = []

    @classmethod
    @contextmanager
    def started(cls, program: str, profile: Path) -> Iterator[Self]:
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()
        command = [program, "--remote-debugging-pipe", f"--user-data-dir={profile}", *OPTIONS, "about:blank"]
        wired = [sys.executable, "-c", WIRED, str(theirs_in), str(theirs_out), *command]
        process = subprocess.Popen(
            wired, pass_fds=(theirs_in, theirs_out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(theirs_in)
        os.close(theirs_out)
        try:
            browser = cls(ours_out, ours_in)
            browser._attach()
            yield browser
        finally:
            os.close(ours_out)
            os.close(ours_in)
            process.kill()
            process.wait(PATIENCE_S)

    def emulate(self, scheme: str) -> None:
        """``light`` or ``dark``, as a desktop would say it."""
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def open(self, url: str) -> None:
        self.call("Page.navigate", url=url)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression; a promise is awaited."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def until(self, condition: str) -> None:
        """Wait for the condition to hold: it is looked at whenever the document changes."""
        looked = f"(() => {{ const holds = () => {{ try {{ return !!({condition}) }} catch {{ return false }} }};"
        looked += (
            "return new Promise((done) => { if (holds()) return done(true);"
            "const seen = new MutationObserver(() => { if (holds()) { seen.disconnect(); done(true); } });"
            "seen.observe(document, { subtree: true, childList: true, characterData: true, attributes: true });"
            f"setTimeout(() => done(false), {int(PATIENCE_S * 1000)}); }}); }})()"
        )
        assert self.evaluate(looked), f"never came true: {condition}\n{self.complaints}"

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._last_id += 1
        message: dict[str, Any] = {"id": self._last_id, "method": method, "params": parameters}
        if self._page:
            message["sessionId"] = self._page
        os.write(self._send, json.dumps(message).encode() + b"\0")
        deadline_s = time.monotonic() + 2 * PATIENCE_S
        while True:
            answer = self._next(deadline_s)
            if answer.get("id") == self._last_id:
                assert "error" not in answer, (method, answer["error"])
                result: dict[str, Any] = answer["result"]
                return result
            self._note(answer)

    def _attach(self) -> None:
        pages = self.call("Target.getTargets")["targetInfos"]
        page = next(each for each in pages if each["type"] == "page")
        self._page = self.call("Target.attachToTarget", targetId=page["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def _note(self, event: dict[str, Any]) -> None:
        parameters = event.get("params", {})
        match event.get("method"):
            case "Runtime.exceptionThrown":
                self.complaints.append(str(parameters["exceptionDetails"]))
            case "Runtime.consoleAPICalled":
                self.complaints.append(f"{parameters['type']}: {parameters['args']}")
            case "Log.entryAdded":
                entry = parameters["entry"]
                self.complaints.append(f"{entry['level']}: {entry['text']} {entry.get('url', '')}")

    def _next(self, deadline_s: float) -> dict[str, Any]:
        while b"\0" not in self._bytes:
            assert self._selector.select(max(0.0, deadline_s - time.monotonic())), "the browser does not answer"
            chunk = os.read(self._receive, 65_536)
            assert chunk, "the browser has ended"
            self._bytes += chunk
        message, _, self._bytes = self._bytes.partition(b"\0")
        decoded: dict[str, Any] = json.loads(message)
        return decoded
