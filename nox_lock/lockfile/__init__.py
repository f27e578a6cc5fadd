"""The format of a lock file: its pins, header, stamp and options, strictly read and written.

Nothing here knows what a lock file should hold: that is for planning and checking.
"""
