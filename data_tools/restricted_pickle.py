"""Read a pickle as plain data: a list of harmless names decides what it may build, and nothing in it is called."""

import pickle


class UnsafePickle(Exception):
    """The file is no pickle of plain data; the message says why."""


class Record:
    """Stands for a class of the pickle: keeps the state and does nothing with it."""

    def __init__(self, *args, **kwargs):
        pass

    def __setstate__(self, state):
        self.state = state


class RestrictedUnpickler(pickle.Unpickler):
    """Knows the globals it is given, {(module, name): object}, and refuses all others."""

    def __init__(self, stream, allowed, **kwargs):
        super().__init__(stream, **kwargs)
        self.allowed = allowed

    def find_class(self, module, name):
        try:
            return self.allowed[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is not on the list of harmless names")

    def persistent_load(self, identifier):
        raise pickle.UnpicklingError("it refers to an object outside the file")


def load_pickle(path, allowed):
    """The object in the file at `path`, Python 2's strings as latin-1; UnsafePickle when it is refused."""
    with open(path, "rb") as stream:
        try:
            return RestrictedUnpickler(stream, allowed, encoding="latin1").load()
        except Exception as error:  # a damaged pickle can raise anything
            raise UnsafePickle(f"{path} is refused: {error}")
