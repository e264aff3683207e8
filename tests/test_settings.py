import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(("said", "found"), [(None, "1"), ("0", "0")])
def test_kernels_of_onednn_are_used_unless_somebody_says_no(said, found):
    environment = {k: v for k, v in os.environ.items() if k != "TF_ENABLE_ONEDNN_OPTS"}
    if said is not None:
        environment["TF_ENABLE_ONEDNN_OPTS"] = said
    code = "import rsutils, os; print(os.environ['TF_ENABLE_ONEDNN_OPTS'])"
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == found
