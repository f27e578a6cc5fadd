"""From starting pins and inputs to the body of a lock file: pip-tools, driven from the inside.

What runs in pip-tools' own process is in `driver`; the rest gives it an order and reads its report.
"""
