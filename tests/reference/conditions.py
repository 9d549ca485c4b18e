"""A slow, obvious judge of conditions: trees of tuples, Kleene's tables written out."""

from fractions import Fraction

OR = {
    (True, True): True, (True, False): True, (True, None): True,
    (False, True): True, (False, False): False, (False, None): None,
    (None, True): True, (None, False): None, (None, None): None,
}  # fmt: skip
NOT = {True: False, False: True, None: None}


def judge(tree, facts):
    """Return True, False or None (unknown) for a tree and a dict of facts."""
    kind = tree[0]
    if kind == "not":
        return NOT[judge(tree[1], facts)]
    if kind == "or":
        return OR[judge(tree[1], facts), judge(tree[2], facts)]
    if kind == "and":  # De Morgan
        return NOT[OR[NOT[judge(tree[1], facts)], NOT[judge(tree[2], facts)]]]
    if kind == "in":
        answer = False
        for value in tree[2]:
            answer = OR[answer, judge(("compare", tree[1], "=", value), facts)]
        return answer
    _, key, sign, value = tree
    if key not in facts:
        return None
    fact = facts[key]
    if isinstance(value, Fraction):
        try:
            fact = Fraction(fact)
        except ValueError:
            return None
    below, same = fact < value, fact == value
    return {
        "=": same,
        "!=": not same,
        "<": below,
        "<=": below or same,
        ">": not (below or same),
        ">=": not below,
    }[sign]


def written(tree):
    """Return the tree as a condition, every part in parentheses."""
    kind = tree[0]
    if kind == "not":
        return f"not ({written(tree[1])})"
    if kind in ("and", "or"):
        return f"({written(tree[1])}) {kind} ({written(tree[2])})"
    if kind == "in":
        return f"{quoted(tree[1])} in ({', '.join(map(value_text, tree[2]))})"
    return f"{quoted(tree[1])} {tree[2]} {value_text(tree[3])}"


def value_text(value):
    """A number as it is, a text in quotes."""
    if isinstance(value, Fraction):
        return str(float(value)) if value.denominator > 1 else str(value.numerator)
    return quoted(value)


def quoted(text):
    """A text in quotes, its own and backslashes escaped."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
