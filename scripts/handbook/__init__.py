"""What of the manual is written by a machine: lists of keys, and completions for shells."""
