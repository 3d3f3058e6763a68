"""Keys that are kept elsewhere: in the operating system's keyring, in AWS KMS, behind transit.

Each needs an extra, which is imported when the first key is asked for.
"""
