"""Serve an app with waitress, as in production, and fetch its page: python smoke.py MODULE."""

import importlib
import sys
import tempfile
import threading
from pathlib import Path

import requests
import waitress


def fetch_page(create_app):
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(Path(folder) / "links.sqlite3")
        server = waitress.create_server(app, host="127.0.0.1", port=0)
        threading.Thread(target=server.run, daemon=True).start()
        session = requests.Session()
        session.trust_env = False  # no proxy stands before this machine itself
        return session.get(f"http://127.0.0.1:{server.effective_port}/", timeout=10)


if __name__ == "__main__":
    module = sys.argv[1]
    response = fetch_page(importlib.import_module(module).create_app)
    response.raise_for_status()
    toolbar = "with" if "flDebug" in response.text else "without"
    print(f"{module} answers {response.status_code}, {toolbar} the toolbar")
