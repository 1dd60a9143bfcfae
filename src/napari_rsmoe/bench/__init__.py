"""Benchmarks beside the peers, for any folder of images: ``napari-rsmoe bench VERB IN_FOLDER OUT_FOLDER``.

Needs the extra ``bench``; nothing else in the package imports this. `protocol` says how noise is made and quality
measured, `peers` holds one method a file, `store` keeps what is finished, and `regression`, `denoising`, `superres`
and `scaling` each list what is to be run and make the tables and plots of it.
"""
