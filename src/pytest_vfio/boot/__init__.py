"""Boot stacks, one file each: how the kernel command line of the next boot is changed.

A stack turns words into steps at the *source* of the line, and into those that make the loader's
files from it. A generated file is never edited, a word of somebody else is never moved.
"""
