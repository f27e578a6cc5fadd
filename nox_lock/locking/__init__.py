"""Bring lock files up to date: from the cache or compiled, each stack written whole or not at all.

What is printed about it is decided elsewhere.
"""
