"""Reports: one HTML file that shows a run, and can be verified."""
