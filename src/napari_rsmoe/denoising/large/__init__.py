"""Denoise images of any size from store to store: block by block, resumable, by one process or by many machines.

`job` describes a job and its folder, `tasks` does one block of it, `running` does all of them in this process,
`cluster` on the workers of Dask, and `finishing` makes the result. May import what `denoising` may.
"""
