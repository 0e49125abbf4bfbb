"""On the PYTHONPATH of a student's program while it is judged; see `sitecustomize`."""
