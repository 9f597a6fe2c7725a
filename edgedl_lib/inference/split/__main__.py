"""``python -m edgedl_lib.inference.split``: serve the rest of a split network."""

from edgedl_lib.inference.split.server import main

if __name__ == "__main__":
    main()
