"""A server in Telegram's place."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

MINE, FOREIGN = 42, 666


class Telegram:
    """What the bot is given, and what it says."""

    def __init__(self) -> None:
        self.updates: list[dict[str, Any]] = []
        self.said: list[tuple[int, str]] = []
        self.status = 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.path.endswith("/sendMessage"):
                    outer.said.append((body["chat_id"], body["text"]))
                    result: Any = {}
                else:
                    result = [one for one in outer.updates if one["update_id"] >= body["offset"]]
                answer = json.dumps({"ok": True, "result": result}).encode()
                self.send_response(outer.status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Nothing on the console."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def say(self, text: str, chat: int = MINE) -> None:
        message = {"chat": {"id": chat}, "from": {"username": "ann"}, "text": text}
        self.updates.append({"update_id": len(self.updates) + 1, "message": message})
