"""What the source uses of an old Flask, to show it. Do not use this code."""
