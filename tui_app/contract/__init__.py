"""The wire between console and service: pydantic models, paths, and errors as problem documents."""
