"""Native noise stays out of notebooks, unless it explains an error."""

import subprocess
import sys


def run(code: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)


def test_importing_tensorflow_after_rsutils_prints_nothing():
    result = run("import rsutils, tensorflow as tf; print(tf.constant(1).numpy())")
    assert (result.stdout, result.stderr) == ("1\n", "")


def test_importing_rsutils_does_not_import_tensorflow():
    assert run("import rsutils, sys; print('tensorflow' in sys.modules)").stdout == "False\n"


def test_what_was_hidden_is_shown_when_it_fails():
    code = (
        "import os, logging\nfrom rsutils.quiet import quiet\nlogging.basicConfig()\n"
        "with quiet():\n    os.write(2, b'native words\\n'); print('printed words')\n"
        "    raise OSError('broken')"
    )
    result = run(code)
    assert "native words" in result.stderr
    assert "printed words" in result.stderr
    assert "OSError: broken" in result.stderr


def test_afterwards_all_is_as_before():
    code = (
        "import os, logging\nfrom rsutils.quiet import quiet\nlogging.basicConfig(level=20)\n"
        "with quiet():\n    os.write(2, b'hidden'); logging.info('hidden'); print('hidden')\n"
        "os.write(2, b'shown '); logging.info('shown'); print('shown')"
    )
    result = run(code)
    assert "hidden" not in result.stdout + result.stderr
    assert (result.stdout, result.stderr.count("shown")) == ("shown\n", 2)
