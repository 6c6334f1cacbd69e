"""The stream definitions that come with maskline, one TOML file each."""
