"""Other people's scripts for pages, as they published them: nothing is loaded from a network.

lightweight-charts 4.1.3 (TradingView, Apache License 2.0, stated in its first lines), uPlot 1.6.32 (Leon Sorokin, MIT,
uPlot.LICENSE), swagger-ui 5.35.0 (SmartBear, Apache License 2.0, swagger-ui.LICENSE; what it contains:
swagger-ui-bundle.LICENSES).
"""

from functools import cache
from pathlib import Path

_HERE = Path(__file__).parent


@cache
def text_of(name: str) -> str:
    """A script or style sheet of this folder."""
    return (_HERE / name).read_text(encoding="utf-8")
