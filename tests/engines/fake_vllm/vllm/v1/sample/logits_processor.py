from collections import namedtuple
from enum import Enum, auto

BatchUpdate = namedtuple("BatchUpdate", "batch_size removed added moved")


class MoveDirectionality(Enum):
    UNIDIRECTIONAL = auto()
    SWAP = auto()


class LogitsProcessor:
    pass
