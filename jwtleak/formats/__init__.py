"""Alert -> bytes, in the forms that other programs read. Pure; one file for each form, found
through `interface`.
"""
