"""Choose: the winner of a parameter search, and what it was trained with."""

from typing import NamedTuple

from kfp.dsl import Input, Model, Output


def choose_best(
    models: Input[list[Model]],
    accuracies: list[float],
    best: Output[Model],
) -> NamedTuple("Winner", [("accuracy", float), ("learning_rate", float), ("max_depth", int)]):
    """Copy the most accurate model; of equals the first wins, so the choice is repeatable."""
    import shutil

    import joblib

    for candidate, accuracy in zip(models, accuracies, strict=True):
        print(f"{accuracy:.4f}  {candidate.metadata}")
    winner = max(range(len(accuracies)), key=lambda index: accuracies[index])
    shutil.copyfile(models[winner].path, best.path)
    best.metadata.update(models[winner].metadata)

    trained_with = joblib.load(best.path).get_params()
    return float(accuracies[winner]), float(trained_with["learning_rate"]), int(trained_with["max_depth"])
