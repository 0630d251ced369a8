"""The account's record in our words, and what each entry does to the balance. Pure."""
