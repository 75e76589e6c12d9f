"""`batonbox-server torture`: faults under load on a real site, and a verdict that is worked out.

The driver writes down what clients asked and saw (`record.py`); `checking/` judges the records and
trusts neither the driver's bookkeeping nor, where it can be avoided, the server's positions.
"""
