"""Deploy: pack a model into a bundle that a model server could pull."""

from typing import NamedTuple

from kfp.dsl import Artifact, Input, Markdown, Model, Output


def deploy_model(
    model: Input[Model],
    accuracy: float,
    service: str,
    run_name: str,
    bundle: Output[Artifact],
    card: Output[Markdown],
) -> NamedTuple("Deployment", [("summary", str)]):
    """Write model, manifest and model card; sign the manifest where the environment holds DEPLOY_TOKEN."""
    import hashlib
    import hmac
    import json
    import os
    import shutil
    from pathlib import Path

    folder = Path(bundle.path)
    folder.mkdir(parents=True, exist_ok=True)
    packed = folder / "model.joblib"
    shutil.copyfile(model.path, packed)
    digest = hashlib.sha256(packed.read_bytes()).hexdigest()

    # The token only signs: it is neither printed nor written anywhere.
    token = os.environ.get("DEPLOY_TOKEN", "")
    signature = hmac.new(token.encode(), digest.encode(), "sha256").hexdigest() if token else None
    manifest = {
        "service": service,
        "run": run_name,
        "sha256": digest,
        "accuracy": accuracy,
        "signature": signature,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")

    facts = {"run": run_name, "accuracy": f"{accuracy:.4f}", "sha256": digest, **model.metadata}
    lines = [f"- {name}: {value}" for name, value in facts.items()]
    text = "\n".join([f"# Model card: {service}", "", *lines, ""])
    (folder / "MODEL_CARD.md").write_text(text, encoding="utf-8")
    Path(card.path).write_text(text, encoding="utf-8")

    summary = (
        f"{service} {digest[:12]} deployed, {'signed' if token else 'unsigned'}, accuracy {accuracy:.4f}"
    )
    print(summary)
    return (summary,)
