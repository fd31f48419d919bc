"""What is live of KFP's objects: ours by mark or inventory, drift by fields, what is gone, what was cut off."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from kfgit.backend import MachineFault
from kfgit.backends.cluster import marks, observing
from kfgit.backends.cluster.inventory import Intent, Journal
from kfgit.ir import Resource
from kfgit.plan import Adopt, Change, Create, Delete, Live, LiveObject, Plan, Replace, Unchanged, Update, subject
from tests.cluster import carrying
from tests.cluster.carrying import Fated, Target, package, resource, run, schedule
from tests.e2e.door import Project
from tests.serving import serving
