"""What an image is: its pixels, format, planes, weights, colour transform and quality.

May import `engine` and the ground.
"""
