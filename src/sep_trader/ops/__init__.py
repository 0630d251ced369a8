"""Running the house: backup, restore, storage budget, maintenance, health."""
