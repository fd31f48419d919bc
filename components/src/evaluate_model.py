"""Evaluate: judge a model by rows it has not seen."""

from typing import NamedTuple

from kfp.dsl import ClassificationMetrics, Dataset, Input, Metrics, Model, Output


def evaluate_model(
    model: Input[Model],
    test_set: Input[Dataset],
    metrics: Output[Metrics],
    confusion: Output[ClassificationMetrics],
) -> NamedTuple("Scores", [("accuracy", float)]):
    """Log accuracy, F1 and the confusion matrix; return the accuracy for conditions to use."""
    import joblib
    import numpy as np
    from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

    table = np.loadtxt(test_set.path, delimiter=",", skiprows=1, dtype=str, comments=None, ndmin=2)
    truth = table[:, -1]
    classifier = joblib.load(model.path)
    predicted = classifier.predict(table[:, :-1].astype(float))
    categories = [str(label) for label in classifier.classes_]

    accuracy = float(accuracy_score(truth, predicted))
    metrics.log_metric("accuracy", accuracy)
    metrics.log_metric("f1_macro", float(f1_score(truth, predicted, average="macro")))
    confusion.log_confusion_matrix(categories, confusion_matrix(truth, predicted, labels=categories).tolist())
    print(f"accuracy {accuracy:.4f} on {len(truth)} rows")
    return (accuracy,)
