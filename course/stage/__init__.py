"""The stage: one page for whoever stands in front of a class. It shows every step, runs it, and shows its clients."""
