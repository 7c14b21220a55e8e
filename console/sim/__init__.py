"""The embedded cloud: a cloud of its own right, spoken to over real HTTP on loopback.

It imports nothing of the rest of the product, so that what it says is a witness and not a mirror.
Start at `estate.Estate`.
"""
