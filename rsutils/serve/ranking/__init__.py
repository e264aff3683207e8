"""The second stage: a few hundred candidates, and what is known of them, into one order."""
