"""Cost of an exact hypervolume, as measured."""

# Points that moocore 0.1 takes a second for, and the power of their number with which its time
# grows near there: the slower of random fronts on a sphere and on a plane, on one core of 2.5 GHz.
# Fronts whose boxes overlap less, such as thin ones between conflicting objectives, take less.
_ONE_SECOND = {
    6: (880, 2.9),
    7: (270, 3.7),
    8: (126, 4.0),
    9: (72, 5.0),
    10: (50, 5.5),
    11: (38, 7.0),
    12: (31, 7.2),
    13: (25, 7.4),
    14: (22, 7.6),
}
# Of more objectives; a front of so few points takes at most 2^18 steps.
_BEYOND = (18, 8.0)

# One set of points, and one of thousands of resamples.
LONGEST, LONGEST_OF_MANY = 2.0, 0.005


def exact_seconds(points: int, objectives: int) -> float:
    """Predicted seconds of the exact hypervolume of a front; 0 up to five objectives.

    Up to five objectives any grid takes milliseconds. Above, the algorithm is exponential in the
    number of objectives.
    """
    if objectives <= 5:
        return 0.0
    whole, power = _ONE_SECOND.get(objectives, _BEYOND)
    return float((points / whole) ** power)
