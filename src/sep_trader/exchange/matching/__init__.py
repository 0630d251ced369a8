"""What happens to an order: request, match, fill, financing, refusal."""
