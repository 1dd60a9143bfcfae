"""Benchmarks beside other methods, for any folder of images: ``napari-rsmoe bench VERB IN_FOLDER OUT_FOLDER``.

Modules here may import everything below the front ends, and need the extra ``bench``. `protocol` defines how noise is
added and quality measured, `peers` holds one method per file, `store` keeps finished results, and `regression`,
`denoising`, `superres` and `scaling` each list their runs and make the tables and plots.
"""
