"""The source's Flask of long ago, so that it can be shown. Nothing here is for use."""
