"""Settings of the search."""

from dataclasses import dataclass

from optuna_dnas._checks import check_not_negative
from optuna_dnas._checks import check_positive
from optuna_dnas._checks import check_share
from optuna_dnas.controller import PredictorConfig
from optuna_dnas.strategies._base import SamplingStrategy


@dataclass(frozen=True, kw_only=True)
class SearchConfig:
    """How rounds of sampling and evaluation go.

    Args:
        n_startup_trials: Random architectures that are evaluated first (N of the paper); more, as
            long as all of them fail.
        round_size: Evaluations between two fits, at most.
        round_growth: They are also at most this share of all evaluations until then: early fits
            are cheap, and each of few evaluations says much.
        from_queue: Candidates are ranked once a round, and asks take the next one. Otherwise
            every ask takes in the newest evaluations and samples candidates of its own.
        n_candidates: Latent codes that are sampled for one ranking, if shares add up to 1; with M
            objectives, more than two, 2 / M of them.
        strategies: Where they come from.
        predictor: How predictors are fitted.
        with_tokens: Whether predictors see the tokens of an architecture beside its latent code.
        with_descriptors: Whether they see the descriptors of its space.
        noise: Of Thompson sampling, in deviations of the prediction; 0 takes the mean. With
            several objectives, of the expected hypervolume improvement.
        improvement_share: With one objective, so many rankings are by expected improvement
            instead, at random.
        weighs_noise: Whether that expects little of what is known but for the noise of
            evaluations. Of smooth functions without noise, it looks too far away.
        avoids_ties: Whether equal values mean that something was written in another way, as they
            may where no canonical form is known. Candidates are then sampled around architectures
            of different values, and with one objective those are postponed that probably have
            exactly the value of an evaluated one.
        n_directions: Directions of several objectives whose best architectures candidates are
            sampled around.
        max_observations: Fits see at most so many, half of them the best, half the latest.
        n_pseudo_labelled: Architectures that train the controller with predicted labels (M of
            the paper).
        pool_strategies: Where those come from; a share is of ``n_pseudo_labelled`` codes. The
            rest are random architectures of the space, and so is what replaces codes that decode
            to nothing new: a decoder that has seen few architectures must learn from valid ones.
            None at all is the pool of SemiNAS.
    """

    n_startup_trials: int
    round_size: int
    round_growth: float = 1.0
    from_queue: bool
    n_candidates: int
    strategies: tuple[SamplingStrategy, ...]
    predictor: PredictorConfig
    with_tokens: bool = False
    with_descriptors: bool = True
    noise: float = 1.0
    improvement_share: float = 0.0
    weighs_noise: bool = False
    avoids_ties: bool = False
    n_directions: int = 5
    max_observations: int = 400
    n_pseudo_labelled: int = 0
    pool_strategies: tuple[SamplingStrategy, ...] = ()

    def __post_init__(self) -> None:
        check_positive(
            self, "round_size", "round_growth", "n_candidates", "n_directions", "max_observations"
        )
        check_not_negative(self, "n_startup_trials", "noise", "n_pseudo_labelled")
        check_share(self, "improvement_share")
        if not self.strategies:
            raise ValueError("`strategies` must not be empty.")
        total = sum(strategy.share for strategy in self.pool_strategies)
        if total > 1:
            message = "The shares of `pool_strategies` must not exceed 1, but sum to"
            raise ValueError(f"{message} {total}.")

    def round_start(self, n_observed: int, *, since: int = 0) -> int:
        """Until which observation the fit has seen them that an ask uses.

        Args:
            n_observed: At least ``n_startup_trials``.
            since: The start of a round before, if one is known.
        """
        start = max(self.n_startup_trials, since, 1)
        while (end := start + self._n_in_round(start)) <= n_observed:
            start = end
        return start

    def _n_in_round(self, start: int) -> int:
        return min(self.round_size, max(1, int(self.round_growth * start)))
