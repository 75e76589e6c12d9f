"""Engines to be tortured: started on this machine, in a folder of their own, gone when we are."""
