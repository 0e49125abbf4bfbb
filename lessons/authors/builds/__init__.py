"""Programs that students write from an empty file, and their goals. For authors: README.md."""
