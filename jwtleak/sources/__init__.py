"""Where bytes come from: files, directories, standard input, and what is packed inside them."""
