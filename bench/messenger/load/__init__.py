"""The load client of the private chat's benchmark: pairs of friends who write to each other."""
