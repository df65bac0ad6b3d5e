#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""JupyterLab in Chromium, as a user has it: a kernel is chosen, a cell run, the kernel restarted; and one that cannot start says why.

Once with JupyterLab as it comes, once with our provisioner. Usage: lab.py PREFIX, by a Python that has jupyterlab, selenium and the
provisioner. Status 0 when all was seen. Chromium and chromedriver are in PATH.
"""

import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, TimeoutException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

WAIT_S = 60  # for what has to come: a limit for what hangs
LAST_WORDS = "the language of this kernel is missing"
CELLS = "seen = (seen or 0) + 1 print('seen', seen)"


class Lab:
    """One server with its own directories; the log is kept for the error message."""

    def __init__(self, home: Path, prefix: Path, provisioner: bool) -> None:
        self.root = home / "notebooks"
        self.log = (home / "log").open("w+", encoding="utf-8")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "JPY_"))}
        environment |= {f"JUPYTER_{name}_DIR": str(home / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
        environment |= {"JUPYTER_PATH": f"{prefix}/share/jupyter:{home}/more", "HOME": str(home), "IPYTHONDIR": str(home / "ipython")}
        if provisioner:
            environment["JUPYTER_DEFAULT_PROVISIONER_NAME"] = "adrastea-provisioner"
        for directory in (self.root, home / "runtime"):
            directory.mkdir(mode=0o700)
        broken = home / "more" / "kernels" / "broken"
        broken.mkdir(parents=True)
        argv = ["/bin/sh", "-c", f"echo '{LAST_WORDS}' >&2; exit 3"]
        (broken / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "Broken", "language": "none"}))
        options = ["--no-browser", "--allow-root", "--port=0", "--ServerApp.port_retries=0", "--IdentityProvider.token=",
                   f"--ServerApp.root_dir={self.root}", "--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
        self.process = subprocess.Popen([sys.executable, "-m", "jupyterlab", *options], env=environment, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True)
        self.url = self.await_url()

    def await_url(self) -> str:
        deadline = time.monotonic() + WAIT_S
        assert self.process.stderr
        while select.select([self.process.stderr], [], [], max(0, deadline - time.monotonic()))[0]:
            line = self.process.stderr.readline()
            if not line:
                break
            self.log.write(line)
            if found := re.search(r"http://(?:127\.0\.0\.1|localhost):(\d+)/lab", line):
                subprocess.Popen(["cat"], stdin=self.process.stderr, stdout=self.log)  # ends with the server
                return f"http://127.0.0.1:{found[1]}"
        raise SystemExit(f"lab: the server does not start:\n{self.text()}")

    def notebook(self, name: str, kernel: str | None) -> str:
        """Its address; without a kernel's name, JupyterLab asks for one."""
        metadata = {"kernelspec": {"name": kernel, "display_name": kernel}} if kernel else {}
        cell = {"cell_type": "code", "id": "one", "source": CELLS, "metadata": {}, "outputs": [], "execution_count": None}
        content = {"cells": [cell], "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
        (self.root / f"{name}.ipynb").write_text(json.dumps(content), encoding="utf-8")
        return f"{self.url}/lab/tree/{name}.ipynb?reset"

    def text(self) -> str:
        self.log.flush()
        return Path(self.log.name).read_text(encoding="utf-8", errors="replace")

    def end(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            raise
        self.log.close()


class Page:
    """What a user sees and does, in JupyterLab's own class names."""

    def __init__(self, browser: webdriver.Chrome) -> None:
        self.browser = browser

    def wait(self, what: str, look: Callable[[webdriver.Chrome], object]) -> object:
        try:
            return WebDriverWait(self.browser, WAIT_S, ignored_exceptions=[StaleElementReferenceException]).until(look)
        except TimeoutException:
            raise SystemExit(f"lab: {what} did not come; the page says:\n{self.browser.find_element(By.TAG_NAME, 'body').text}") from None

    def all(self, selector: str) -> list[WebElement]:
        return [element for element in self.browser.find_elements(By.CSS_SELECTOR, selector) if element.is_displayed()]

    def one(self, selector: str) -> WebElement:
        found = self.wait(selector, lambda _: self.all(selector)[:1])
        return found[0]

    def choose_kernel(self, name: str) -> None:
        select_box = Select(self.one(".jp-Dialog select"))
        option = next(option.text for option in select_box.options if option.text.startswith(name))
        select_box.select_by_visible_text(option)
        self.accept()

    def accept(self) -> None:
        self.one(".jp-Dialog .jp-mod-accept").click()
        self.wait("the dialog's end", lambda _: not self.all(".jp-Dialog"))

    def idle(self) -> None:
        self.wait("an idle kernel", lambda _: self.all(".jp-Notebook-ExecutionIndicator[data-status='idle']"))

    def run(self, expected: str) -> None:
        self.one(".jp-Notebook .cm-content").click()
        self.browser.switch_to.active_element.send_keys(Keys.CONTROL, Keys.ENTER)
        self.wait(f"the output {expected!r}", lambda _: [text for text in self.outputs() if expected in text])

    def outputs(self) -> list[str]:
        return [element.text for element in self.all(".jp-OutputArea-output")]

    def restart(self) -> None:
        self.one("[data-command='kernelmenu:restart'], .jp-ToolbarButtonComponent[title^='Restart the kernel'], "
                 "[title^='Restart the kernel']").click()
        self.accept()

    def dialog(self) -> str:
        return self.one(".jp-Dialog-content").text


@contextmanager
def chromium() -> Iterator[Page]:
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for option in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1200,900"):
        options.add_argument(option)
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        yield Page(browser)
    finally:
        browser.quit()


def use(lab: Lab, page: Page) -> None:
    """A kernel that is chosen runs a cell; restarted, it knows nothing of that any more."""
    page.browser.get(lab.notebook("use", None))
    page.choose_kernel("Lua")
    page.idle()
    page.run("seen 1")
    page.run("seen 2")
    page.restart()
    page.idle()
    page.run("seen 1")


def fail(lab: Lab, page: Page, provisioner: bool) -> str:
    """What the user of a kernel that cannot start is told."""
    page.browser.get(lab.notebook("broken", "broken"))
    if not provisioner:
        return "not looked at: a kernel that dies is known to nobody"
    text = page.dialog()
    if LAST_WORDS not in text or "exit status 3" not in text:
        raise SystemExit(f"lab: the dialog does not say why the kernel did not start: {text!r}")
    return text


def check(prefix: Path, provisioner: bool) -> None:
    start = time.monotonic()
    home = Path(tempfile.mkdtemp(prefix="lab-", dir="/tmp"))
    lab = Lab(home, prefix, provisioner)
    try:
        with chromium() as page:
            use(lab, page)
            told = fail(lab, page, provisioner)
    except BaseException:
        print(lab.text()[-4000:], file=sys.stderr)
        raise
    finally:
        lab.end()
    left = [path.name for path in (home / "runtime").iterdir() if path.name.startswith(("kernel-", "adr-"))]
    if left:
        raise SystemExit(f"lab: left behind: {left}")
    shutil.rmtree(home)
    launcher = "our provisioner" if provisioner else "JupyterLab as it comes"
    print(f"lab: {launcher}: chosen, run, restarted in {time.monotonic() - start:.0f} s", flush=True)
    if provisioner:
        print("lab: a kernel that dies:", *told.splitlines(), sep="\n    ")


if __name__ == "__main__":
    for with_provisioner in (False, True):
        check(Path(sys.argv[1]).resolve(), with_provisioner)
