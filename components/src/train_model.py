"""Train: gradient-boosted trees."""

from kfp.dsl import Dataset, Input, Model, Output


def train_model(
    train_set: Input[Dataset],
    learning_rate: float,
    max_depth: int,
    trees: int,
    seed: int,
    model: Output[Model],
) -> None:
    """Fit a classifier and store it with joblib."""
    import joblib
    import numpy as np
    from sklearn.ensemble import GradientBoostingClassifier

    table = np.loadtxt(train_set.path, delimiter=",", skiprows=1, dtype=str, comments=None, ndmin=2)
    classifier = GradientBoostingClassifier(
        learning_rate=learning_rate, max_depth=max_depth, n_estimators=trees, random_state=seed
    )
    classifier.fit(table[:, :-1].astype(float), table[:, -1])
    joblib.dump(classifier, model.path)

    model.framework = "scikit-learn"
    model.metadata.update(rows=len(table), learning_rate=learning_rate, max_depth=max_depth, trees=trees)
    print(f"trained on {len(table)} rows: learning_rate={learning_rate} max_depth={max_depth} trees={trees}")
