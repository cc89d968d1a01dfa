"""What the programs of the suite share: configuration, storage, messages, protocol streams."""
