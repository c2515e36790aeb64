"""A little service that checks passwords: a request is a line of JSON, an answer is a word.

It runs in a process of its own and writes every request, without its passwords, to its standard output. Its arguments are
the port and the file with the superuser's password.
"""

import json
import secrets
import socketserver
import sys
from pathlib import Path
from typing import Any

PORT, PASSWORD_FILE = 1, 2
SECRET = {"password", "new"}


class Users:
    """Who may log in, with what, and who is barred."""

    def __init__(self, superuser_password: str) -> None:
        self.passwords = {"root": superuser_password}
        self.barred: set[str] = set()

    def log_in(self, name: str, password: str) -> str:
        if not secrets.compare_digest(self.passwords.get(name, "").encode(), password.encode()):
            return "wrong"
        return "barred" if name in self.barred else "done"

    def do(self, who: str, request: dict[str, Any]) -> str:
        name = request.get("user", "")
        match request["do"]:
            case "change" if name == who or (who == "root" and name in self.passwords):
                self.passwords[name] = request["new"]
            case "create" if who == "root":
                self.passwords[name] = request["new"]
            case "bar" if who == "root":
                (self.barred.add if request["yes"] else self.barred.discard)(name)
            case "users" if who == "root":
                return json.dumps(list(self.passwords))
            case "hello":
                pass
            case _:
                return "forbidden"
        return "done"


class Conversation(socketserver.StreamRequestHandler):
    """One connection: a login, and what follows."""

    server: "Server"

    def handle(self) -> None:
        who = None
        while line := self.rfile.readline():
            request = json.loads(line)
            shown = {key: value for key, value in request.items() if key not in SECRET}
            sys.stdout.write(json.dumps(shown) + "\n")
            sys.stdout.flush()
            if request["do"] == "log_in":
                answer = self.server.users.log_in(request["user"], request["password"])
                who = request["user"] if answer == "done" else None
            else:
                answer = "forbidden" if who is None else self.server.users.do(who, request)
            self.wfile.write(f"{answer}\n".encode())


class Server(socketserver.ThreadingTCPServer):
    """Serves until its process is ended."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, port: int, users: Users) -> None:
        self.users = users
        super().__init__(("127.0.0.1", port), Conversation)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent about clients that went away."""


if __name__ == "__main__":
    with Server(int(sys.argv[PORT]), Users(Path(sys.argv[PASSWORD_FILE]).read_text())) as server:
        sys.stdout.write("acme is ready\n")
        sys.stdout.flush()
        server.serve_forever()
