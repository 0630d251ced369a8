"""Running the house: doctor, backup, storage budget, alerts, metrics."""
