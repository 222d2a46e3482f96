"""Artifacts: tables, files and folders, as a stage reads them and as a notebook loads them."""
