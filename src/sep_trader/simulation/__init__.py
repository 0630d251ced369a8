"""The real trader, its real database and the simulated exchange in one process, on one virtual clock."""
