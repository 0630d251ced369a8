"""What is owned: accounts, orders, trades, their margin, and the files that keep them."""
