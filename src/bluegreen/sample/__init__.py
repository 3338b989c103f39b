"""The sample application: what the demo, the examples and the tests release.

Nothing here imports the rest of bluegreen, and nothing outside Debian's ``python3-minimal`` is
used: the files of this folder are also copied alone into the example images.
"""
