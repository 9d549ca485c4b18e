"""Judging: protocols, figures with their intervals, and the reports made of them."""
