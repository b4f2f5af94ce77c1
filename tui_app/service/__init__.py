"""The service: the routes of ``/v1`` over store, systems and engine, for one process or for a socket."""
