"""The version of the program, read by the build and by every alert."""

__version__ = "0.1.0"
