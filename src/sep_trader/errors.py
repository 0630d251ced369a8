"""The error family: what a person is told, what may be retried, and the exit code of the command."""


class SepError(Exception):
    """Something a person can act on. The command line prints it as one line, without a traceback.

    `message` says what happened, `hint` what to do about it.
    """

    exit_code = 1
    retryable = False

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message} ({hint})" if hint else message)
        self.message = message
        self.hint = hint


class InputError(SepError):
    """A bad argument, setting or file: an unknown pair, a missing file, a port in use."""

    exit_code = 2


class RowsRefused(SepError):
    """Some rows of an input were refused; the good ones are kept and the rest is listed."""

    exit_code = 3


class StoreError(SepError):
    """The database refused a statement, or holds something it should not."""

    exit_code = 4


class StoreUnavailable(StoreError):
    """The database cannot be reached now."""

    retryable = True


class BrokerError(SepError):
    """The broker answered with an error that trying again will not cure."""

    exit_code = 5


class BrokerUnavailable(BrokerError):
    """The broker cannot be reached, or is overloaded, now."""

    retryable = True


class BrokerAuthError(BrokerError):
    """The broker does not accept the token or the account."""


class NotAllowed(SepError):
    """A rule of the house forbids it: a pair that is not READY, live trading that nobody turned on."""

    exit_code = 6
