"""Importers of file formats and the download from the broker: everything that turns history into candles."""
