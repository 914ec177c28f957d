from optuna_dnas.search_space import MobileNetShape
from optuna_dnas.search_space import Stage


def nine_layers(image_size: int) -> MobileNetShape:
    """Three stages of three layers, for grey images."""
    return MobileNetShape(
        stages=(Stage(16, 3, 1), Stage(24, 3, 2), Stage(40, 3, 2)),
        stem_channels=8,
        stem_stride=1 if image_size < 16 else 2,
        first_channels=8,
        head_channels=96,
        image_size=image_size,
        image_channels=1,
        n_classes=10,
    )
