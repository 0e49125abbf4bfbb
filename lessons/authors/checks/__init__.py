"""The checks of the exercises, one module for each lesson; README.md says how to add one."""
