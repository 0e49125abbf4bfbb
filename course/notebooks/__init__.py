"""The lessons and exercises as files: listed, executed, compared, timed, and made into pages and slides."""
