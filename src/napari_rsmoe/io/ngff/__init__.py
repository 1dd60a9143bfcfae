"""The metadata of OME-Zarr: OME-NGFF, <https://ngff.openmicroscopy.org>.

`ome_zarr` and `block_store` read and write the pixels. May import the rest of `io`.
"""
