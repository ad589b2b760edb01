"""What lies in the place of a file that Git LFS has not fetched."""

LFS_POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'1' * 64}\nsize 13476839424\n"
