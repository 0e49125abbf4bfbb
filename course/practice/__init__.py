"""`python3 -m course exercises watch`: an exercise is tried each time its notebook is saved. For the command line only.

`watch` is the part in the student's terminal, standard library only. `trial` runs the student's code, as a process of
the environment's Python, so that a crash or an endless loop there ends nothing else.
"""
