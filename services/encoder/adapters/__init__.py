"""Where the encoder meets torch, tokenizers, transformers and the model's files."""
