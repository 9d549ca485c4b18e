"""From which cosine two pictures count as copies of each other, and why there are two answers.

``NEAR``, of a picture that was rejected, is wide: a rejection that misses a copy offers the wrong
person again, one that reaches too far costs a hit of one picture, and is undone. Measured in
docs/decisions/0017-not-this-one.md.

``COPY``, of a picture to remove, is narrow: what is told as a copy may be forgotten for good, so
two pictures that were taken a moment apart should not be among them.
"""

NEAR = 0.98
COPY = 0.995
