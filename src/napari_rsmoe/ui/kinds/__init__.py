"""The kinds of parameters: what a value may be, how it is written, and what to say when it is not accepted.

Nothing here knows a user interface. The front ends turn a `Parameter` into a field of a form, an option of the command
line, or a keyword of a copied call; each of them needs one branch for each class and none for a single parameter.
Modules may import each other and the floors below `ui`.
"""
