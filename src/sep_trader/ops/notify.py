"""Messages by Apprise: mail, Telegram, Slack, ntfy and a hundred others, each named by one URL."""

from collections.abc import Sequence
from typing import Any

from sep_trader.errors import InputError
from sep_trader.ops.finding import Severity

_TYPES = {Severity.INFO: "info", Severity.WARNING: "warning", Severity.CRITICAL: "failure"}


class AppriseNotifier:
    """The targets of SEP_ALERT_URLS. Raises InputError for a URL that Apprise does not know."""

    def __init__(self, urls: Sequence[str]) -> None:
        try:
            import apprise
        except ImportError:
            raise InputError("apprise is not installed", "pip install 'sep-trader[alerts]'") from None
        self._apprise: Any = apprise.Apprise()
        for number, url in enumerate(urls, 1):
            if not self._apprise.add(url):
                raise InputError(
                    f"target {number} of SEP_ALERT_URLS is no URL that Apprise knows", "mailto://..., tgram://..."
                )

    def send(self, title: str, body: str, severity: Severity) -> bool:
        """Send to every target; whether all of them took it."""
        return bool(self._apprise.notify(title=title, body=body or title, notify_type=_TYPES[severity]))
