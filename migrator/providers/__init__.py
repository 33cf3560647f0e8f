"""Old providers' habits as data. A new provider is an entry of the catalogue, a test and a paragraph in
docs/providers.md."""
