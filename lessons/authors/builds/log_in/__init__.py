"""Your log-in, after lesson 09. The finished step 2 of the private chat reaches all goals, too."""
