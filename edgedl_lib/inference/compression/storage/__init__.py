"""Fewer bytes: shared and hashed weights, relative indices, Huffman codes and the file that holds them."""
