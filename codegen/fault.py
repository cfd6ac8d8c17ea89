"""The one exception of the generator: a fault of the spec, with its place."""


class SpecFault(Exception):
    def __init__(self, path, line, message):
        super().__init__(f"{path}:{line}: {message}")
        self.path = path
        self.line = line
        self.message = message
