from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest

from optuna_dnas.encoding import Token
from optuna_dnas.encoding import Vocabulary


@st.composite
def vocabularies(draw: st.DrawFn) -> Vocabulary:
    places = st.tuples(st.integers(0, 3), st.integers(0, 3))
    chosen = draw(st.lists(places, min_size=1, max_size=10, unique=True))
    return Vocabulary(
        [
            Token(f"token_{k}", draw(st.integers(1, 5)), step=step, slot=slot)
            for k, (step, slot) in enumerate(chosen)
        ]
    )


def draw_tokens(vocabulary: Vocabulary, n: int, seed: int) -> np.ndarray:
    n_choices = vocabulary.legal.sum(axis=1)
    return np.random.default_rng(seed).integers(n_choices, size=(n, len(vocabulary)))


VOCABULARY = Vocabulary([Token("edge", 2, step=0, slot=0), Token("op", 4, step=1, slot=1)])


@given(vocabularies(), st.integers(0, 2**32 - 1))
def test_one_hot_has_one_feature_for_each_token(vocabulary: Vocabulary, seed: int) -> None:
    tokens = draw_tokens(vocabulary, 5, seed)
    features = vocabulary.one_hot(tokens)
    assert features.shape == (5, vocabulary.n_steps, vocabulary.n_features)
    assert features.dtype == np.float32
    assert set(np.unique(features)) <= {0.0, 1.0}
    by_token = features.reshape(5, -1)[:, vocabulary.feature_index] * vocabulary.legal  # (N, T, C)
    assert (by_token.sum(axis=2) == 1).all()
    assert (features.sum(axis=(1, 2)) == len(vocabulary)).all()


@given(vocabularies(), st.integers(0, 2**32 - 1))
def test_argmax_over_legal_choices_inverts_one_hot(vocabulary: Vocabulary, seed: int) -> None:
    tokens = draw_tokens(vocabulary, 5, seed)
    by_token = vocabulary.one_hot(tokens).reshape(5, -1)[:, vocabulary.feature_index]
    masked = np.where(vocabulary.legal, by_token, -np.inf)
    np.testing.assert_array_equal(masked.argmax(axis=2), tokens)


@given(vocabularies())
def test_every_choice_of_every_token_has_its_own_feature(vocabulary: Vocabulary) -> None:
    places = vocabulary.feature_index[vocabulary.legal]
    assert len(set(places.tolist())) == sum(token.n_choices for token in vocabulary.tokens)
    assert places.min() >= 0
    assert places.max() < vocabulary.n_steps * vocabulary.n_features


@given(vocabularies())
def test_a_feature_lies_in_the_step_of_its_token(vocabulary: Vocabulary) -> None:
    steps = vocabulary.feature_index // vocabulary.n_features
    for row, legal, token in zip(steps, vocabulary.legal, vocabulary.tokens, strict=True):
        assert legal.sum() == token.n_choices
        assert legal[: token.n_choices].all()
        assert (row[legal] == token.step).all()


def test_tokens_of_one_slot_share_their_place_within_the_step() -> None:
    vocabulary = Vocabulary(
        [
            Token("edge_0", 2, step=0, slot=0),
            Token("op_0", 3, step=0, slot=1),
            Token("edge_1", 2, step=1, slot=0),
            Token("op_1", 4, step=1, slot=1),
        ]
    )
    assert vocabulary.n_features == 2 + 4
    within = vocabulary.feature_index % vocabulary.n_features
    np.testing.assert_array_equal(within[0, :2], within[2, :2])
    np.testing.assert_array_equal(within[1, :3], within[3, :3])


@given(vocabularies(), st.integers(0, 2**32 - 1))
def test_check_accepts_legal_tokens(vocabulary: Vocabulary, seed: int) -> None:
    vocabulary.check(draw_tokens(vocabulary, 3, seed))
    vocabulary.check(draw_tokens(vocabulary, 0, seed))


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ([[0, 0], [2, 0]], r"Token `edge` has no choice 2 \(sequence 1\)"),
        ([[0, 4]], r"Token `op` has no choice 4 \(sequence 0\)"),
        ([[0, -1]], r"Token `op` has no choice -1 \(sequence 0\)"),
        ([[0, 0, 0]], r"must be \(N, 2\), but got shape \(1, 3\)"),
        ([0, 0], r"must be \(N, 2\), but got shape \(2,\)"),
    ],
)
def test_check_names_the_token_and_the_value(tokens: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        VOCABULARY.check(np.array(tokens))


@pytest.mark.parametrize(
    ("n_choices", "step", "slot", "message"),
    [
        (0, 0, 0, "`n_choices` must be positive, but got 0"),
        (-3, 0, 0, "`n_choices` must be positive, but got -3"),
        (1, -1, 0, "`step` and `slot` must not be negative.*step=-1"),
        (1, 0, -2, "`step` and `slot` must not be negative.*slot=-2"),
    ],
)
def test_bad_tokens_are_refused(n_choices: int, step: int, slot: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Token("x", n_choices, step, slot)


def test_bad_vocabularies_are_refused() -> None:
    with pytest.raises(ValueError, match="`tokens` must not be empty"):
        Vocabulary([])
    with pytest.raises(ValueError, match="same step and slot"):
        Vocabulary([Token("x", 2, step=1, slot=3), Token("y", 4, step=1, slot=3)])


def test_vocabularies_are_equal_if_their_tokens_are() -> None:
    same = Vocabulary([Token("edge", 2, step=0, slot=0), Token("op", 4, step=1, slot=1)])
    other = Vocabulary([Token("edge", 2, step=0, slot=0), Token("op", 3, step=1, slot=1)])
    assert same == VOCABULARY
    assert hash(same) == hash(VOCABULARY)
    assert other != VOCABULARY
    assert VOCABULARY != "edge"
