"""A Telegram bot that answers what a person asks from a phone: /status, /open, /daily, /halt. It obeys its chats only.

Source: https://core.telegram.org/bots/api (getUpdates, sendMessage).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

_PATIENCE_S = 5.0
_CONFIRM_S = 60.0
_LONGEST = 4_000
"""Characters; Telegram takes 4,096."""
HELP = "/status, /open, /daily, /halt"


@dataclass(slots=True)
class Bot:
    """One bot. answers: what each command says; halt: asks the trader for a person, and says what came of it."""

    url: str
    token: str
    chats: frozenset[int]
    answers: Mapping[str, Callable[[], str]]
    halt: Callable[[str], str]
    _next: int = 0
    _asked_at: dict[int, float] = field(default_factory=dict)
    """When each chat asked for a halt that is not confirmed yet, by a steady clock."""

    def poll(self, mono: float) -> None:
        """Answer what came. mono: a steady clock, seconds. Raises httpx.HTTPError where Telegram does not answer."""
        for update in self._call("getUpdates", {"offset": self._next, "timeout": 0, "allowed_updates": ["message"]}):
            self._next = max(self._next, int(update["update_id"]) + 1)
            message = update.get("message") or {}
            chat = (message.get("chat") or {}).get("id")
            # Nobody else learns that there is anybody here.
            if chat in self.chats:
                who = (message.get("from") or {}).get("username") or (message.get("from") or {}).get("first_name")
                text = self._answer(int(chat), str(who or chat), str(message.get("text") or ""), mono)
                self._call("sendMessage", {"chat_id": chat, "text": text[:_LONGEST]})

    def _answer(self, chat: int, who: str, text: str, mono: float) -> str:
        command = text.strip().split("@")[0].lower()
        asked_at = self._asked_at.pop(chat, None)
        if command == "/halt":
            self._asked_at[chat] = mono
            return "Halt: no order is sent any more, stops and targets rest at the broker. Send YES within a minute."
        if command == "yes" and asked_at is not None and mono - asked_at <= _CONFIRM_S:
            return self.halt(f"{who} (Telegram)")
        answer = self.answers.get(command.removeprefix("/"))
        return answer() if answer is not None else f"I know {HELP}."

    def _call(self, method: str, values: dict[str, Any]) -> Any:
        try:
            answer = httpx.post(f"{self.url}/bot{self.token}/{method}", json=values, timeout=_PATIENCE_S)
            answer.raise_for_status()
            return answer.json().get("result", [])
        except (httpx.HTTPError, ValueError) as error:
            # The address holds the token: it stands in no message.
            raise httpx.HTTPError(f"Telegram's {method}: {type(error).__name__}") from None
