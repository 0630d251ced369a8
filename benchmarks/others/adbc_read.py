"""Read candles with ADBC into Arrow and on to numpy columns: `adbc_read.py URL RUNS SELECT...`, started by
benchmarks/store.py in an environment of its own. Prints {"adbc": version, "seconds": [of each run]}.
"""

import json
import sys
import time
from importlib.metadata import version

from adbc_driver_postgresql import dbapi


def main(url: str, runs: int, statements: list[str]) -> None:
    seconds = []
    with dbapi.connect(url) as connection, connection.cursor() as cursor:
        for _ in range(runs + 1):  # the first one warms up
            begun = time.perf_counter()
            for statement in statements:
                cursor.execute(statement)
                table = cursor.fetch_arrow_table()
                columns = [column.to_numpy() for column in table.columns]
                assert len(columns) == 7
                assert len(columns[0]) > 0
            seconds.append(time.perf_counter() - begun)
    print(json.dumps({"adbc": version("adbc-driver-postgresql"), "seconds": seconds[1:]}))


main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
