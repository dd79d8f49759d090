"""Which offset of a partition may be committed: the lowest that is still open.

One tracker lives as long as one assignment of one partition. A late result of an older assignment settles in an
older tracker, which nobody asks any more (G7).
"""
