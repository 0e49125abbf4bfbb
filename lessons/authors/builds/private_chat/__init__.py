"""Your private chat, after lesson 10: the second capstone. The finished step 5 passes, too."""
