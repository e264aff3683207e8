"""Make data/demo/ anew, byte for byte.

python tools/make_demo_world.py            writes data/demo/ in place of what is there
python tools/make_demo_world.py FOLDER     writes FOLDER, which must not hold anything yet
"""

import argparse
import shutil
import tempfile
from pathlib import Path

from rsutils import settings
from rsutils.data.world import generate, write_world


def main() -> None:
    """Write the demo world and say how large it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=settings.DEMO_WORLD)
    folder = parser.parse_args().folder
    world = generate()
    if folder == settings.DEMO_WORLD and folder.is_dir():
        with tempfile.TemporaryDirectory(dir=folder.parent) as aside:
            fresh = Path(aside) / "demo"
            write_world(world, fresh)
            shutil.move(folder, Path(aside) / "old")
            shutil.move(fresh, folder)
    else:
        write_world(world, folder)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{folder}: {world.interactions()!r}, {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
