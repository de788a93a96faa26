"""From failures to what would mend them, in one plan: what, in which order, why, and what never.

Computed from facts alone: a plan is made of a recording as well as of a live host, and writes
nothing.
"""
