"""Prepare: split a table into rows to learn from and rows to be judged by."""

from kfp.dsl import Dataset, Input, Output


def prepare_data(
    dataset: Input[Dataset],
    test_share: float,
    seed: int,
    train_set: Output[Dataset],
    test_set: Output[Dataset],
) -> None:
    """Shuffle and split by label, so that both parts have every class in the same proportion."""
    from pathlib import Path

    from sklearn.model_selection import train_test_split

    header, *rows = Path(dataset.path).read_text(encoding="utf-8").splitlines()
    labels = [row.rsplit(",", 1)[1] for row in rows]
    parts = train_test_split(rows, test_size=test_share, random_state=seed, stratify=labels)
    for artifact, part in zip((train_set, test_set), parts, strict=True):
        Path(artifact.path).write_text("\n".join([header, *part, ""]), encoding="utf-8")
        artifact.metadata["rows"] = len(part)
    print(f"{train_set.metadata['rows']} rows to train on, {test_set.metadata['rows']} rows to test with")
