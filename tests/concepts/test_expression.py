import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitscope.concepts.expression import All, Any, Atom, Not, atoms, holds, parse_expression
from unitscope.errors import ConceptError


def test_binding():
    a, b, c = Atom("x:a"), Atom("x:b"), Atom("x:c")
    assert parse_expression("x:a and x:b or not x:c") == Any((All((a, b)), Not(c)))
    assert parse_expression("x:a and (x:b or x:c)") == All((a, Any((b, c))))
    assert parse_expression("not not x:a AND not (x:b)") == All((a, Not(b)))
    assert parse_expression("'ngrams:of the' and words:don't and \"words:(\"") == All(
        (Atom("ngrams:of the"), Atom("words:don't"), Atom("words:("))
    )
    assert parse_expression("feats:Number=Plur or deprel:nsubj:pass or words::") == Any(
        (Atom("feats:Number=Plur"), Atom("deprel:nsubj:pass"), Atom("words::"))
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Got nothing at character 1 of ''. Expected: a concept, as upos:NOUN."),
        ("upos:NOUN and", "Got nothing at character 14 of 'upos:NOUN and'."),
        ("upos:NOUN upos:VERB", "Got 'upos:VERB' at character 11 of "),
        ("NOUN", "Got 'NOUN' at character 1 of 'NOUN'. Expected: a concept by its full name, as upos:NOUN."),
        (":x", "Got ':x' at character 1"),
        ("(a:b", "Got no ')' at character 5 of '(a:b'. Expected: one for '(' at character 1."),
        ("a:b)", "Got ')' at character 4"),
        ("a:b and or a:c", "Got 'or' at character 9"),
        ("(" * 2000 + "a:b", "Got a bracket at character 51"),
        ("__import__('os').system('true')", "Got '__import__' at character 1"),
    ],
)
def test_broken(text, message):
    with pytest.raises(ConceptError) as caught:
        parse_expression(text)
    assert str(caught.value).startswith(message)


NAMES = ("x:a", "x:b", "x:c")
TEXTS = st.recursive(
    st.sampled_from(NAMES),
    lambda inner: st.one_of(
        inner.map(lambda text: f"not ({text})"),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(
            lambda parts: f"({parts[0]}) {parts[1]} ({parts[2]})"
        ),
    ),
    max_leaves=8,
)


@given(text=TEXTS, truth=st.tuples(*[st.booleans()] * 3))
def test_against_python(text, truth):
    values = dict(zip(NAMES, truth))
    python = text
    for name, value in values.items():
        python = python.replace(name, str(value))
    assert holds(parse_expression(text), values.get) is eval(python)


@given(text=TEXTS, truth=st.tuples(*[st.sampled_from([True, False, None])] * 3))
def test_not_known_means_that_it_could_be_either(text, truth):
    """Kleene's logic never decides what a filling-in could turn round."""
    expression = parse_expression(text)
    found = holds(expression, dict(zip(NAMES, truth)).get)
    filled = {
        holds(expression, dict(zip(NAMES, (value if value is not None else fill for value in truth))).get)
        for fill in (True, False)
    }
    assert found is None or filled == {found}
    assert set(atoms(expression)) <= set(NAMES)
