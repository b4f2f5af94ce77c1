"""Native routes: the HTTP endpoints of the systems themselves, on the socket of ``quash serve`` beside ``/v1``."""
