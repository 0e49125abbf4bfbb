"""The base of the messenger's features: the app, its pages, the safety of its log-in, its server.

Lesson 09 uses it, and so does anybody who adds a feature.
"""
