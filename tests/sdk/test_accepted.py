"""Whatever kfgit compiles, KFP's SDK reads: random pipelines, through its loader and its protobufs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict
from hypothesis import HealthCheck, Phase, given, settings

from tests import compiling
from tests.ir_linter import parsed
from tests.pipelines import LIBRARY, pipelines
from tests.sdk.normal import normal
from tests.sdk.official import Sdk

HERE = Path(__file__).parent


# What fails is shown as it was found: to shrink it would ask the SDK some hundred times more.
@settings(
    max_examples=40,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(pipelines())
def test_the_sdk_reads_random_pipelines(sdk: Sdk, pipeline: dict[str, Any]) -> None:
    documents = "\n---\n".join(json.dumps(document) for document in (*LIBRARY, pipeline))
    package = compiling.texts({"all.yaml": documents}, HERE)["p"]
    spec, platform = sdk.load(package.to_yaml())
    assert normal(spec, platform) == normal(MessageToDict(parsed(package)), package.platform)
