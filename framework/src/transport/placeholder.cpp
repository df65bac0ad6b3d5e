// Replaced by this layer's first real file.
