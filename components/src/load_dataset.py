"""Ingest: the data sets that come inside scikit-learn, so nothing is downloaded."""

from kfp.dsl import Dataset, Output


def load_dataset(name: str, dataset: Output[Dataset]) -> None:
    """Write the data set as CSV: a header, then one row per sample with its label in the last column."""
    import csv
    from pathlib import Path

    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name}")()
    labels = [str(bunch.target_names[index]) for index in bunch.target]
    with Path(dataset.path).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*bunch.feature_names, "label"])
        writer.writerows([*row, label] for row, label in zip(bunch.data.tolist(), labels, strict=True))

    dataset.metadata.update(name=name, rows=len(labels), classes=len(set(labels)))
    print(f"{name}: {len(labels)} rows, {len(bunch.feature_names)} features, {len(set(labels))} classes")
