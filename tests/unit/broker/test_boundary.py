"""Nothing outside broker/oanda and exchange knows OANDA's field names."""

import ast
import re
from pathlib import Path

import pytest

import sep_trader

SOURCE = Path(sep_trader.__file__).parent
# Field names of OANDA v20's transactions, trades, orders, prices and answers that no other source uses.
FIELDS = set(
    """accountBalance accountGain accountLoss accountID averageClosePrice averagePrice batchID clientExtensions
    clientOrderID clientTradeID closeTime closeoutAsk closeoutBid createTime currentUnits dividendAdjustment
    displayPrecision distance fullPrice fullVWAP fundingReason gtdTime guaranteedExecutionFee halfSpreadCost
    hedgingEnabled homeConversions initialUnits instruments lastTransactionID longRate marginAvailable marginRate
    marginUsed maximumOrderUnits minimumTradeSize openTime openTradeFinancings openTrades orderCancelTransaction
    orderCreateTransaction orderFillTransaction orderID orderRejectTransaction pipLocation positionFill
    positionFinancings priceBound realizedPL rejectReason relatedTransactionIDs replacedByOrderID requestID
    stopLossOnFill stopLossOrder takeProfitOnFill takeProfitOrder timeInForce tradeClientExtensions tradeClose tradeID
    tradeOpened tradeReduced tradeUnitsPrecision tradesClosed trailingStopLossOnFill trailingStopLossOrder unrealizedPL
    userID""".split()
) - {"distance", "instruments"}
# What reads candles that people downloaded from OANDA themselves, and an address of the API in a message.
ALLOWED = {"history/oanda_json.py"}


def _inside(file: Path) -> bool:
    path = file.relative_to(SOURCE).as_posix()
    return path.startswith(("broker/oanda/", "exchange/")) or path in ALLOWED


def _words(file: Path) -> set[str]:
    text = file.read_text("utf-8")
    if file.suffix != ".py":
        return set(re.findall(r"\w+", text))
    strings = [n.value for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    return set(re.findall(r"\w+", " ".join(strings)))


# Migrations that landed before this rule are frozen.
LANDED = {
    "0001_foundation.sql", "0010_candle_downloads.sql", "0011_storage_samples.sql", "0020_bundles.sql",
    "0021_candle_rollups.sql",
}  # fmt: skip

FILES = sorted(
    file for pattern in ("*.py", "*.sql", "*.html") for file in SOURCE.rglob(pattern) if file.name not in LANDED
)


@pytest.mark.parametrize("file", [f for f in FILES if not _inside(f)], ids=lambda f: f.relative_to(SOURCE).as_posix())
def test_a_file_outside_the_adapter_knows_no_field_of_oanda(file: Path) -> None:
    assert _words(file) & FIELDS == set()


def test_the_adapter_does_know_them() -> None:
    """Otherwise the test above would find nothing anywhere."""
    inside = set().union(*(_words(f) for f in FILES if f.is_relative_to(SOURCE / "broker" / "oanda")))
    assert len(inside & FIELDS) > 50
