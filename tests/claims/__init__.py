"""Claims that `make claims` puts to the test."""
