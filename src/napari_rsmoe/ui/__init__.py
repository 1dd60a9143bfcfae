"""What all user interfaces share: the description of every option, jobs on threads, and calls as text.

May import everything below the front ends; loads neither torch nor a GUI toolkit.
"""
