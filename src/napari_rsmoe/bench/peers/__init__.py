"""The methods that are compared, one a file, each by its published or usual settings; `methods` lists them."""
